// An authority of certificates, and what it issues, by openssl: real files, as cert-manager would write them.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

const openssl = (folder: string, ...args: string[]): void =>
  void execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });

export interface Issue {
  /** Hosts and addresses, as openssl writes them. */
  readonly names?: string;
  /** As openssl writes it; a name of its own when absent. */
  readonly subject?: string;
  /** From and to; from now to a month on when absent. */
  readonly valid?: readonly [Date, Date];
}

export interface Authority {
  /** Its own certificate. */
  readonly certificate: string;
  /** Writes ca.crt, tls.crt and tls.key into a folder, which is there as a whole or not at all. @returns the folder. */
  issue(folder: string, options?: Issue): string;
}

/** YYYYMMDDHHMMSSZ */
const inOpenssl = (date: Date): string => `${date.toISOString().replaceAll(/\D/g, "").slice(0, 14)}Z`;

/** @param folder where it keeps its own files. */
export function authority(folder: string, name: string): Authority {
  mkdirSync(folder, { recursive: true });
  openssl(folder, "req", "-x509", ...KEY, "-keyout", "ca.key", "-out", "ca.crt", "-subj", `/CN=${name}`, "-days", "30");
  writeFileSync(join(folder, "index.txt"), "");
  let count = 0;
  return {
    certificate: join(folder, "ca.crt"),
    issue(into, { names = "DNS:localhost,IP:127.0.0.1", subject, valid } = {}) {
      const serial = String(++count).padStart(4, "0");
      const config = `[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\nserial=serial-${serial}\nunique_subject=no\n[p]\norganizationName=optional\ncommonName=supplied\n[e]\nsubjectAltName=${names}\nextendedKeyUsage=serverAuth,clientAuth\n`;
      writeFileSync(join(folder, "openssl.cnf"), config);
      writeFileSync(join(folder, `serial-${serial}`), serial);
      openssl(
        folder,
        "req",
        ...KEY,
        "-keyout",
        `${serial}.key`,
        "-out",
        `${serial}.csr`,
        "-subj",
        subject ?? `/CN=plume-${serial}`,
      );
      const dates = valid ? ["-startdate", inOpenssl(valid[0]), "-enddate", inOpenssl(valid[1])] : ["-days", "30"];
      openssl(
        folder,
        ...["ca", "-batch", "-notext", "-config", "openssl.cnf", "-extensions", "e"],
        ...["-cert", "ca.crt", "-keyfile", "ca.key", "-in", `${serial}.csr`, "-out", `${serial}.crt`, ...dates],
      );
      mkdirSync(into, { recursive: true });
      for (const [from, to] of [
        ["ca.crt", "ca.crt"],
        [`${serial}.key`, "tls.key"],
        [`${serial}.crt`, "tls.crt"],
      ]) {
        copyFileSync(join(folder, from!), join(into, `${to}.new`));
        renameSync(join(into, `${to}.new`), join(into, to!));
      }
      return into;
    },
  };
}
