// plume render: the Kubernetes objects of a job, as `kubectl apply -f -` takes them.

import { Command } from "commander";
import { stringify } from "yaml";
import { renderJob } from "../../../k8s/render/render.ts";
import { loadJobAndToken } from "../../../shared/config/load.ts";
import { PlumeError, quoted } from "../../../shared/errors.ts";
import { action, type CommandIo } from "../action.ts";
import { collect, oneOf } from "../options.ts";

interface RenderOptions {
  readonly file: string;
  readonly namespace?: string;
  readonly output: string;
  readonly set: string[];
}

const FORMATS = ["yaml", "json"] as const;

export function renderCommand(): Command {
  return new Command("render")
    .description("print the Kubernetes manifests of a job; nothing but kubectl is needed to apply them")
    .requiredOption("-f, --file <job>", "job file (YAML), the same as for plume train")
    .option("-n, --namespace <name>", "put every object into this namespace (default: the one kubectl uses)")
    .option("-o, --output <format>", `${FORMATS.join(" | ")}`, "yaml")
    .option("--set <path=value>", "override a field of the job, for example workers.replicas=8", collect, [])
    .addHelpText(
      "after",
      `
Images, resources and where pods may run are in the job, below spec.kubernetes.

Examples:
  plume render -f job.yaml | kubectl apply -f -
  plume render -f job.yaml -n training --set kubernetes.image=registry.example/plume:0.1.0 | kubectl apply -f -
  plume render -f job.yaml -o json | jq '.items[].kind'

Exit codes: 0 printed, 2 a mistake in the command or the job file.`,
    )
    .action(action(render));
}

async function render(io: CommandIo, { file, namespace, output, set }: RenderOptions): Promise<undefined> {
  const format = oneOf("--output", output, FORMATS);
  if (namespace !== undefined) checkNamespace(namespace);
  const { job, token } = loadJobAndToken(file, { set });
  if (token !== null)
    io.note(`  monitoring.token is not printed: put it into a secret\n    ${secretCommand(job.metadata.name)}`);
  const items = renderJob(job, namespace === undefined ? {} : { namespace });
  const list = { apiVersion: "v1", kind: "List", items };
  io.result(list);
  const yaml = () => items.map((item) => stringify(item, { aliasDuplicateObjects: false })).join("---\n");
  io.print((format === "json" ? JSON.stringify(list, null, 2) : yaml()).trimEnd());
  return undefined;
}

const secretCommand = (job: string) => `kubectl create secret generic ${job}-page --from-literal=token=...`;

function checkNamespace(name: string): void {
  if (/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)) return;
  throw new PlumeError("INVALID_ARGUMENT", `--namespace ${quoted(name)} is no name of a namespace`, {
    remedy: "lower-case letters, digits and '-', at most 63 long",
  });
}
