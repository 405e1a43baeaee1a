// The keys and certificates of one cluster: an authority, the API server, an administrator, and the key that signs the tokens of
// service accounts.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { authority } from "../certificates.ts";

/** Files, PEM. */
export interface Certificates {
  readonly ca: string;
  readonly server: KeyPair;
  /** Of the group that may do everything. */
  readonly admin: KeyPair;
  readonly accounts: { readonly key: string; readonly publicKey: string };
}

interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

const SERVER_NAMES = "IP:10.0.0.1,DNS:localhost,DNS:kubernetes.default.svc";

/** @param folder where they are written. @param host address of the API server. */
export function createCertificates(folder: string, host: string): Certificates {
  const { certificate, issue } = authority(join(folder, "authority"), "plume-test");
  const pair = (into: string): KeyPair => ({ certificate: join(into, "tls.crt"), key: join(into, "tls.key") });
  const server = pair(
    issue(join(folder, "server"), { names: `IP:${host},${SERVER_NAMES}`, subject: "/CN=kube-apiserver" }),
  );
  const admin = pair(issue(join(folder, "admin"), { subject: "/O=system:masters/CN=admin" }));
  const accounts = { key: join(folder, "accounts.key"), publicKey: join(folder, "accounts.pub") };
  const curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
  execFileSync("openssl", ["genpkey", ...curve, "-out", accounts.key], { stdio: "pipe" });
  execFileSync("openssl", ["pkey", "-in", accounts.key, "-pubout", "-out", accounts.publicKey], { stdio: "pipe" });
  return { ca: certificate, server, admin, accounts };
}
