// How this process speaks gRPC: in plaintext, or with TLS that both sides prove themselves by.

import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import {
  type ChannelCredentials,
  type ChannelOptions,
  credentials as channelCredentials,
  experimental,
  ServerCredentials,
} from "@grpc/grpc-js";
import { describeError } from "../../errors.ts";
import { splitAddress } from "../transport.ts";
import { readTlsFiles, type TlsFiles } from "./files.ts";

/** What PLUME_TLS of this process says. @throws PlumeError */
export const planeOfEnvironment = (onProblem: PlaneOptions["onProblem"] = () => {}): Plane =>
  openPlane(process.env.PLUME_TLS, { epochMs: Date.now, onProblem });

export interface Plane {
  /** The folder of its certificates; null in plaintext. */
  readonly folder: string | null;
  readonly server: ServerCredentials;
  /**
   * What a client of this address is made with, beside the address.
   * @param name that the server's certificate must have; the address's host when absent.
   */
  client(address: string, options: ChannelOptions, name?: string): [ChannelCredentials, ChannelOptions];
}

export interface PlaneOptions {
  readonly epochMs: () => number;
  /** Changed files that are not taken up, and why. */
  readonly onProblem: (reason: string) => void;
  /** Between two looks at the files. */
  readonly lookEveryMs?: number;
}

/** Kubernetes takes up to a minute to bring a new secret to a pod: a few seconds more are nothing. */
const LOOK_EVERY_MS = 5_000;
/** A server's name that is no address: TLS knows no names that are. */
const NO_NAME = "plume";

/** @param folder what PLUME_TLS says; plaintext when it says nothing. @throws PlumeError for files that cannot work. */
export function openPlane(folder: string | undefined, options: PlaneOptions): Plane {
  if (!folder) return plaintext;
  const provider = watch(folder, readTlsFiles(folder, options.epochMs()), options);
  return {
    folder,
    server: experimental.createCertificateProviderServerCredentials(provider, provider, true),
    client(address, more, name) {
      const host = splitAddress(address).host;
      const secure = (check: object) =>
        experimental.createCertificateProviderChannelCredentials(provider, provider, check);
      if (name !== undefined) return [secure({}), { ...more, "grpc.ssl_target_name_override": name }];
      if (!isIP(host)) return [secure({}), more];
      // The certificate must have this address, which may not be sent as a name.
      const ofAddress = secure({ checkServerIdentity: (_: string, peer: Peer) => checkServerIdentity(host, peer) });
      return [ofAddress, { ...more, "grpc.ssl_target_name_override": NO_NAME }];
    },
  };
}

type Peer = Parameters<typeof checkServerIdentity>[1];

export const plaintext: Plane = {
  folder: null,
  server: ServerCredentials.createInsecure(),
  client: (_, options) => [channelCredentials.createInsecure(), options],
};

type Provider = experimental.CertificateProvider;

/** The newest files that can work, for whoever listens. */
function watch(
  folder: string,
  first: TlsFiles,
  { epochMs, onProblem, lookEveryMs = LOOK_EVERY_MS }: PlaneOptions,
): Provider {
  const onCa = new Set<experimental.CaCertificateUpdateListener>();
  const onIdentity = new Set<experimental.IdentityCertificateUpdateListener>();
  let files = first;
  let problem = "";
  let timer: NodeJS.Timeout | undefined;

  const tellCa = (listener: experimental.CaCertificateUpdateListener) => listener({ caCertificate: files.ca });
  const tellIdentity = (listener: experimental.IdentityCertificateUpdateListener) =>
    listener({ certificate: files.certificate, privateKey: files.key });

  const look = () => {
    try {
      const found = readTlsFiles(folder, epochMs());
      problem = "";
      if (same(found, files)) return;
      files = found;
      onCa.forEach(tellCa);
      onIdentity.forEach(tellIdentity);
    } catch (error) {
      // In the middle of a change, or not to be used: said once, and the files before it serve on.
      const reason = describeError(error);
      if (reason !== problem) onProblem(reason);
      problem = reason;
    }
  };
  const listen = () => {
    const isHeard = onCa.size + onIdentity.size > 0;
    if (isHeard && !timer) timer = setInterval(look, lookEveryMs).unref();
    if (isHeard) return;
    clearInterval(timer);
    timer = undefined;
  };
  /** grpc-js hears the first word only after the call that asks for it. */
  const add =
    <L>(to: Set<L>, tell: (listener: L) => void) =>
    (listener: L) => {
      if (!timer) look(); // nobody has looked since the last one left
      to.add(listener);
      listen();
      process.nextTick(() => to.has(listener) && tell(listener));
    };
  const remove =
    <L>(from: Set<L>) =>
    (listener: L) => {
      from.delete(listener);
      listen();
    };
  return {
    addCaCertificateListener: add(onCa, tellCa),
    removeCaCertificateListener: remove(onCa),
    addIdentityCertificateListener: add(onIdentity, tellIdentity),
    removeIdentityCertificateListener: remove(onIdentity),
  };
}

const same = (a: TlsFiles, b: TlsFiles): boolean =>
  a.ca.equals(b.ca) && a.certificate.equals(b.certificate) && a.key.equals(b.key);
