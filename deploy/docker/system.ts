// All of the image that is not plume: node, the libraries that it and the native packages load, and the few files that
// the C library reads. No shell, no package manager, no certificates: node brings Mozilla's.

import { spawnSync } from "node:child_process";
import { chownSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { PlumeError } from "../../shared/errors.ts";

/** Who plume is in a container: the number that images without root agree on. */
const USER = 65532;

const FILES: Readonly<Record<string, string>> = {
  // Its home is where a container may write.
  "etc/passwd": `root:x:0:0:root:/root:/sbin/nologin\nplume:x:${USER}:${USER}:plume:/tmp:/sbin/nologin\n`,
  "etc/group": `root:x:0:\nplume:x:${USER}:\n`,
  "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
  // A container's own are mounted over these.
  "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
  "etc/hostname": "",
  "etc/resolv.conf": "",
  // Without one, libvips' drawing library complains in every process that draws.
  "etc/fonts/fonts.conf":
    '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "fonts.dtd">\n<fontconfig><cachedir>/tmp/fontconfig</cachedir></fontconfig>\n',
  // No env(1) is here to find node.
  "usr/local/bin/plume": '#!/usr/local/bin/node\nimport("/app/plume.mjs");\n',
};
/** Where a container's own are mounted, and what the manifests of k8s/base mount. */
const FOLDERS = [
  ...["dev", "proc", "sys", "tmp"],
  ...["etc/plume", "etc/plume-tls", "var/cache/plume", "var/lib/plume", "var/run/secrets/kubernetes.io/serviceaccount"],
];

const NODE = "usr/local/bin/node";

/** @throws PlumeError FAILED_PRECONDITION where it cannot give files to another user. */
export function writeSystem(root: string): void {
  for (const folder of FOLDERS) mkdirSync(join(root, folder), { recursive: true });
  for (const [name, contents] of Object.entries(FILES)) write(join(root, name), contents);
  copy(process.execPath, join(root, NODE));
  copyLibraries(root, process.execPath);
  try {
    chownSync(join(root, "var/lib/plume"), USER, USER);
  } catch (cause) {
    throw new PlumeError("FAILED_PRECONDITION", `/var/lib/plume of the image belongs to user ${USER}`, {
      remedy: "run this as root, as the Dockerfile's builder stage does",
      cause,
    });
  }
}

/** What the dynamic linker loads for a file, to the places where it looks for them. */
export function copyLibraries(root: string, file: string): void {
  for (const library of librariesOf(file)) copy(library, join(root, library));
}

/** @returns absolute paths outside of plume's own packages. @throws PlumeError NOT_FOUND when one is missing. */
function librariesOf(file: string): string[] {
  const { stdout, stderr, status } = spawnSync("ldd", [file], { encoding: "utf8" });
  const missing = /^\s*(\S+) => not found/m.exec(stdout ?? "");
  if (status !== 0 || missing)
    throw new PlumeError("NOT_FOUND", `${file} needs ${missing?.[1] ?? `ldd to say what it needs: ${stderr}`}`, {
      remedy: "install the library on this machine: the image gets a copy",
    });
  // "libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x…)", and the loader itself with no arrow.
  const found = [...stdout.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map(([, path]) => path!);
  return found.filter((path) => !path.includes("/node_modules/"));
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}

function write(file: string, contents: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, contents);
}
