// What the container image holds, and that plume works from it alone.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chownSync, cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { buildRootfs } from "../../deploy/docker/build.ts";
import { ROOT } from "../../shared/root.ts";
import { readSummary } from "../../shared/summary.ts";
import { imageRootfs, startInImage } from "../support/image.ts";
import { scratchFolder, tinyJob, train } from "../support/plume.ts";
import { finished } from "../support/processes.ts";

let root = "";
beforeAll(async () => {
  root = await imageRootfs();
});

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();

/** Every file of the image is one of these. */
const KNOWN = [
  /^app\/(coordinator|worker|worker-pod|reducer|compute-thread|drawer|plume|operator)\.mjs$/,
  /^app\/[\w.-]+-[A-Z0-9]{8}\.mjs$/, // what the entry points share, or load when it is needed
  /^app\/(LICENSE|THIRD-PARTY\.txt|package\.json)$/,
  /^app\/(page|generate)\/(index\.html|page\.js|style\.css|icon\.svg)$/,
  /^app\/base\/[\w-]+\.yaml$/,
  /^app\/proto\/plume\/v1\/\w+\.proto$/,
  /^app\/shared\/kernels\/(kernels\.wasm|thread\.mjs)$/,
  /^app\/shared\/backends\/wasm-kernels\/kernels\.wasm$/,
  /^app\/deploy\/judge\/fashion-mnist(-labels)?\.safetensors$/,
  /^app\/node_modules\/(@grpc\/reflection|grpc-health-check)\/[\w/]+\.proto$/,
  /^app\/node_modules\/@tensorflow\/tfjs-backend-wasm\/(package\.json|dist\/tfjs-backend-wasm-simd\.wasm)$/,
  /^app\/node_modules\/(sharp|semver|detect-libc|@img\/(colour|sharp-linux-\w+|sharp-libvips-linux-\w+))\//,
  /^etc\/(passwd|group|nsswitch\.conf|hosts|hostname|resolv\.conf|fonts\/fonts\.conf)$/,
  /^lib(64)?\/([\w-]+-linux-gnu\/)?[\w+.-]+\.so(\.\d+)*$/,
  /^usr\/local\/bin\/(node|plume)$/,
];

describe("the image's layer", () => {
  it("holds what is known, and every kind of it", () => {
    const files = filesIn(root);
    expect(files.filter((file) => !KNOWN.some((pattern) => pattern.test(file)))).toEqual([]);
    for (const pattern of KNOWN)
      expect(
        files.some((file) => pattern.test(file)),
        String(pattern),
      ).toBe(true);
  });

  it("has every file that the sources ask for", () => {
    const files = filesIn(join(root, "app"));
    const sources = ["coordinator", "worker", "shared"].flatMap((folder) =>
      filesIn(join(ROOT, folder)).map((file) => join(folder, file)),
    );
    const asked = sources
      .filter((file) => file.endsWith(".ts") && file !== "coordinator/cli/reference-tables.ts")
      .flatMap((file) => [...readFileSync(join(ROOT, file), "utf8").matchAll(/\basset\("([^"]+)"\)/g)])
      .map(([, path]) => path!);
    expect(asked.length).toBeGreaterThan(3);
    for (const path of asked)
      expect(
        files.some((file) => file === path || file.startsWith(`${path}/`)),
        path,
      ).toBe(true);
  });

  it("has no package of developers, nothing that tells where it was built, no map and no key", () => {
    const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
    const ofDevelopers = Object.entries<{ dev?: boolean }>(lock.packages)
      .filter(([path, { dev }]) => dev && !path.includes("/node_modules/"))
      .map(([path]) => path.slice("node_modules/".length));
    expect(ofDevelopers).toContain("vitest");
    const inside = [...readFileSync(join(root, "app/THIRD-PARTY.txt"), "utf8").matchAll(/^={80}\n(\S+) [\d.]+/gm)];
    const names = inside.map(([, name]) => name!);
    expect(names).toContain("@grpc/grpc-js");
    expect(names).toContain("sharp");
    for (const absent of [...ofDevelopers, "esbuild", "tsx"]) expect(names).not.toContain(absent);
    for (const file of filesIn(join(root, "app")).filter((each) => /\.(mjs|cjs|js|json|txt)$/.test(each))) {
      const contents = readFileSync(join(root, "app", file), "utf8");
      for (const foreign of [ROOT, "sourceMappingURL=", "PRIVATE KEY-----\nM"])
        expect(contents.includes(foreign), `${file}: ${foreign}`).toBe(false);
    }
  });

  it("belongs to root, is nobody's to change but for /tmp and the run's folder, and gives nobody rights", () => {
    const entries = readdirSync(root, { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      const path = join(entry.parentPath, entry.name).slice(root.length);
      const { mode, uid, mtimeMs } = lstatSync(join(root, path));
      expect(mode & 0o6000, path).toBe(0);
      expect(mtimeMs, path).toBe(0);
      if (path !== "/var/lib/plume") expect(uid, path).toBe(0);
      if (path !== "/tmp") expect(mode & 0o022, path).toBe(0);
    }
    expect(lstatSync(join(root, "var/lib/plume")).uid).toBe(65532);
  });

  it("is below 250 MB", () => {
    const bytes = filesIn(root).reduce((sum, file) => sum + lstatSync(join(root, file)).size, 0);
    expect(bytes).toBeLessThan(250e6);
  });

  it("is the same bits from another folder, where only what the Dockerfile's builder gets is", async () => {
    using scratch = scratchFolder();
    const context = scratch.file("context");
    const ignored = readFileSync(join(ROOT, "deploy/docker/Dockerfile.dockerignore"), "utf8");
    for (const [, name] of ignored.matchAll(/^!(.+)$/gm))
      cpSync(join(ROOT, name!), join(context, name!), { recursive: true });
    execFileSync("cp", ["-al", join(ROOT, "node_modules"), context]);
    const command = ["--import", "tsx", "deploy/docker/rootfs.ts", "--out", scratch.file("again")];
    const said = execFileSync(process.execPath, command, { cwd: context, encoding: "utf8" });
    expect(said).toMatch(/^node +\d+\.\d MB$/m);
    const layer = (folder: string) => {
      const tar = execFileSync("tar", ["--sort=name", "--numeric-owner", "-C", folder, "-c", "."], {
        maxBuffer: 1 << 30,
      });
      return createHash("sha256").update(tar).digest("hex");
    };
    expect(layer(scratch.file("again"))).toBe(layer(root));
  });

  it("does not take the place of a folder that is something else", async () => {
    using scratch = scratchFolder();
    mkdirSync(scratch.file("mine"));
    writeFileSync(scratch.file("mine", "letter"), "");
    await expect(buildRootfs(scratch.file("mine"), "wasm")).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    expect(readdirSync(scratch.file("mine"))).toEqual(["letter"]);
  });
});

const run = (state: string, ...command: string[]) => finished(startInImage(root, state, command));

describe("plume in the image, as its user, on a read-only root", () => {
  it("says its version, and what the container has", async () => {
    using state = scratchFolder();
    chownSync(state.path, 65532, 65532);
    expect(await run(state.path, "plume", "--version")).toEqual({ code: 0, stdout: "0.1.0\n", stderr: "" });
    const { code, stdout } = await run(state.path, "plume", "doctor", "--json");
    expect(code).toBe(0);
    const { findings } = JSON.parse(stdout);
    const found = Object.fromEntries(
      findings.map(({ what, state: is }: { what: string; state: string }) => [what, is]),
    );
    expect(found).toMatchObject({ "backend wasm": "ok", "run folder": "ok", ports: "ok" });
  });

  it("trains, samples, audits and exports: the hash of a checkout, and not a word of complaint", async () => {
    using state = scratchFolder();
    const job = tinyJob(state.path);
    const expected = await train(job, state.file("laptop"));
    chownSync(state.path, 65532, 65532);
    const trained = await run(state.path, "plume", "train", "-f", "job.yaml.in", "--out", "r");
    expect(trained, trained.stderr).toMatchObject({ code: 0 });
    expect(trained.stderr).not.toMatch(/error|warn/i);
    expect(readSummary(state.file("r/summary.json")).weightsSha256).toBe(expected.weightsSha256);
    for (const [name, ...more] of [
      ["sample", "r", "-o", "r.png", "--count", "4"],
      ["checkpoints", "verify", "r"],
      ["audit", "r", "--replay", "3"],
      ["report", "r"],
    ]) {
      const { code, stderr } = await run(state.path, "plume", name!, ...more);
      expect(code, `${name}: ${stderr}`).toBe(0);
      expect(stderr).not.toMatch(/error|warn/i);
    }
    const png = readFileSync(state.file("r.png"));
    expect(png.subarray(1, 4).toString()).toBe("PNG");
  });

  it("cannot write where it must not", async () => {
    using state = scratchFolder();
    chownSync(state.path, 65532, 65532);
    const write = `require("node:fs").writeFileSync("/app/coordinator.mjs", "")`;
    const { code, stderr } = await run(state.path, "node", "-e", write);
    expect(code).toBe(1);
    expect(stderr).toMatch(/EROFS|EACCES/);
  });
});
