// The three files of a folder, and whether they can work: read together, checked together.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PlumeError } from "../../errors.ts";

export interface TlsFiles {
  /** Certificates of the authorities that are trusted, PEM. */
  readonly ca: Buffer;
  /** This process's certificate, and any between it and the authority, PEM. */
  readonly certificate: Buffer;
  readonly key: Buffer;
}

const CA = "ca.crt";
const CERTIFICATE = "tls.crt";
const KEY = "tls.key";

/** @throws PlumeError NOT_FOUND, FAILED_PRECONDITION or INVALID_ARGUMENT, naming the file, what is wrong and what to do. */
export function readTlsFiles(folder: string, epochMs: number): TlsFiles {
  const files = { ca: read(folder, CA), certificate: read(folder, CERTIFICATE), key: read(folder, KEY) };
  const authorities = parse(folder, CA, files.ca);
  const [own, ...between] = parse(folder, CERTIFICATE, files.certificate);
  checkDates(folder, CERTIFICATE, own!, epochMs);
  checkKey(folder, own!, files.key);
  checkDates(folder, CA, issuerOf(folder, own!, between, authorities), epochMs);
  return files;
}

function read(folder: string, name: string): Buffer {
  const file = join(folder, name);
  try {
    return readFileSync(file);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR")
      throw new PlumeError("NOT_FOUND", `PLUME_TLS: there is no ${file}`, {
        remedy: `name a folder with ${CA}, ${CERTIFICATE} and ${KEY}, or unset PLUME_TLS for plaintext`,
        cause,
      });
    throw new PlumeError("FAILED_PRECONDITION", `PLUME_TLS: ${file} cannot be read: ${message}`, {
      remedy: "give the user of this process the right to read it",
      cause,
    });
  }
}

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

function parse(folder: string, name: string, pem: Buffer): X509Certificate[] {
  const blocks = pem.toString("latin1").match(PEM) ?? [];
  try {
    if (blocks.length > 0) return blocks.map((block) => new X509Certificate(block));
  } catch {
    // as if it held none
  }
  throw mistake(`${join(folder, name)} holds no certificate`, "it must be PEM, as openssl and cert-manager write it");
}

function checkDates(folder: string, name: string, certificate: X509Certificate, epochMs: number): void {
  const file = join(folder, name);
  const { validFrom, validTo } = certificate;
  if (epochMs > Date.parse(validTo))
    throw mistake(`${file} expired on ${validTo}`, "renew it; a running process takes the new files up by itself");
  if (epochMs < Date.parse(validFrom))
    throw mistake(`${file} is not valid before ${validFrom}`, "check this machine's clock");
}

function checkKey(folder: string, certificate: X509Certificate, pem: Buffer): void {
  const file = join(folder, KEY);
  try {
    if (certificate.checkPrivateKey(createPrivateKey(pem))) return;
  } catch (cause) {
    throw new PlumeError("INVALID_ARGUMENT", `PLUME_TLS: ${file} holds no private key that can be read`, {
      remedy: "it must be PEM and have no passphrase",
      cause,
    });
  }
  throw mistake(
    `${file} is not the key of ${join(folder, CERTIFICATE)}`,
    "take both from the same issue of the certificate",
  );
}

/** Follows the issuers, through those in between, to an authority; others in its file may be old ones that nobody missed. */
function issuerOf(
  folder: string,
  own: X509Certificate,
  between: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
): X509Certificate {
  const isOf = (issuer: X509Certificate) => (each: X509Certificate) =>
    each.checkIssued(issuer) && each.verify(issuer.publicKey);
  let last = own;
  for (let links = 0; links <= between.length; links++) {
    const authority = authorities.find((each) => isOf(each)(last));
    if (authority) return authority;
    const next = between.find((each) => isOf(each)(last));
    if (!next) break;
    last = next;
  }
  throw mistake(
    `${join(folder, CERTIFICATE)}, issued by ${oneLine(last.issuer)}, is of no authority in ${join(folder, CA)}, which has ${authorities.map(({ subject }) => oneLine(subject)).join(" and ")}`,
    `put the authority that issued it into ${CA}`,
  );
}

const oneLine = (name: string): string => name.split("\n").join(", ");

const mistake = (message: string, remedy: string) =>
  new PlumeError("INVALID_ARGUMENT", `PLUME_TLS: ${message}`, { remedy });
