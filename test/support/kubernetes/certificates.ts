// The keys and certificates of one cluster, made by openssl: an authority, the API server, an administrator, and the key that
// signs the tokens of service accounts.

import { execFileSync } from "node:child_process";

export interface Certificates {
  /** File of a key or certificate. */
  file(
    name: "ca.crt" | "server.crt" | "server.key" | "admin.crt" | "admin.key" | "accounts.key" | "accounts.pub",
  ): string;
}

/** @param folder where they are written; `file` joins a name to it. */
export function createCertificates(file: (name: string) => string): Certificates {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe" });
  const curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
  const key = (name: string) => openssl("genpkey", ...curve, "-out", file(name));
  for (const name of ["ca.key", "server.key", "admin.key", "accounts.key"]) key(name);
  openssl("pkey", "-in", file("accounts.key"), "-pubout", "-out", file("accounts.pub"));
  const certificate = (name: string, subject: string, ...rest: string[]) =>
    openssl(
      ...["req", "-x509", "-days", "2", "-key", file(`${name}.key`), "-subj", subject, "-out", file(`${name}.crt`)],
      ...rest,
    );
  const signed = ["-CA", file("ca.crt"), "-CAkey", file("ca.key"), "-addext", "basicConstraints=CA:FALSE"];
  certificate("ca", "/CN=plume-test");
  const names = "subjectAltName=IP:127.0.0.1,IP:10.0.0.1,DNS:localhost,DNS:kubernetes.default.svc";
  certificate("server", "/CN=kube-apiserver", ...signed, "-addext", names);
  certificate("admin", "/O=system:masters/CN=admin", ...signed);
  return { file };
}
