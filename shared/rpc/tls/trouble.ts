// Why a connection did not come about, where TLS is the reason: on one side alone, or with certificates that do not fit. What
// OpenSSL says is known by its phrases; a server that just hangs up is asked once what it speaks.

import { connect } from "node:tls";
import { splitAddress } from "../transport.ts";
import type { Plane } from "./plane.ts";

export interface Trouble {
  readonly says: string;
  readonly remedy: string;
}

const SIGNS: readonly (readonly [RegExp, string, string])[] = [
  [
    /wrong version number|packet length too long/,
    "it speaks plaintext, and this process TLS",
    "set PLUME_TLS where it runs, too, or unset it here",
  ],
  [
    /certificate has expired/,
    "its certificate has expired",
    "renew it where it runs: it is taken up without a restart",
  ],
  [/certificate is not yet valid/, "its certificate is not valid yet", "check the clocks of both machines"],
  [
    /self[- ]signed certificate|unable to (verify|get)/,
    "its certificate is of no authority that ca.crt of PLUME_TLS has",
    "give both sides certificates of one authority",
  ],
  [
    /does not match certificate's altnames/,
    "its certificate is not for the host that was dialled",
    "dial a name that the certificate has, or add this one to its subject alternative names",
  ],
  [
    /Failed to connect|ECONNRESET|hang up|alert|Socket closed/,
    "it hangs up: most likely it does not accept the certificate in PLUME_TLS",
    "its log says why it refuses; both sides need valid certificates of one authority",
  ],
];

/** What a client with TLS saw. @param said gRPC's words. @returns null when it is something else. */
function troubleOfTls(said: string): Trouble | null {
  const sign = SIGNS.find(([phrase]) => phrase.test(said));
  return sign ? { says: sign[1], remedy: sign[2] } : null;
}

/**
 * Looks why `address` cannot be reached, if gRPC said that no connection was established.
 * @returns null when TLS has nothing to do with it.
 */
export async function findTrouble(plane: Plane, address: string, said: string): Promise<Trouble | null> {
  if (!said.includes("No connection established") || /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT/.test(said))
    return null;
  if (plane.folder !== null) return troubleOfTls(said);
  if (!(await speaksTls(address))) return null;
  return {
    says: "it speaks TLS, and this process plaintext",
    remedy: "set PLUME_TLS here, to a folder with ca.crt, tls.crt and tls.key of its authority",
  };
}

const LOOK_MS = 2_000;

/** Whether whoever listens there answers a TLS greeting with anything but a shrug. */
function speaksTls(address: string): Promise<boolean> {
  const { host, port } = splitAddress(address);
  return new Promise((resolve) => {
    const socket = connect({ host, port, rejectUnauthorized: false, ALPNProtocols: ["h2"] });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(LOOK_MS, () => end(false));
    socket.once("secureConnect", () => end(true));
    // An alert is TLS, too; plaintext is a wrong version.
    socket.once("error", ({ code = "" }: NodeJS.ErrnoException) => end(/^ERR_SSL_(?!WRONG_VERSION)/.test(code)));
    socket.once("close", () => end(false));
  });
}

/** Why a server refused a connection, for its log. */
export function refusalOf(
  error: Error & { code?: string },
  peer: { authorizationError?: Error | string | null },
): string {
  const { code = "", message } = error;
  if (peer.authorizationError) return `its certificate: ${peer.authorizationError}`;
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_HTTP_REQUEST")
    return "it speaks plaintext, and this server TLS: set PLUME_TLS where it runs";
  if (code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE") return "it has no certificate";
  return message.split(":").at(-1)?.trim() || message;
}
