// plume render: the Kubernetes objects of a job or a pipeline, as `kubectl apply -f -` takes them.

import { Command } from "commander";
import { stringify } from "yaml";
import { renderJob } from "../../../k8s/render/render.ts";
import { loadJobAndToken, readMapping } from "../../../shared/config/load.ts";
import { PlumeError, quoted } from "../../../shared/errors.ts";
import { inlined, loadPipeline } from "../../../shared/stages/load.ts";
import { PIPELINE_KIND } from "../../../shared/stages/schema.ts";
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
    .description("print the Kubernetes manifests of a job or a pipeline; nothing but kubectl is needed to apply them")
    .requiredOption("-f, --file <job>", "job or pipeline file (YAML), the same as for plume train or plume pipeline")
    .option("-n, --namespace <name>", "put every object into this namespace (default: the one kubectl uses)")
    .option("-o, --output <format>", `${FORMATS.join(" | ")}`, "yaml")
    .option(
      "--set <path=value>",
      "override a field of the job, for example workers.replicas=8; of a pipeline's stage by STAGE.path=value",
      collect,
      [],
    )
    .addHelpText(
      "after",
      `
Images, resources and where pods may run are in the job, below spec.kubernetes.

Examples:
  plume render -f job.yaml | kubectl apply -f -
  plume render -f job.yaml -n training --set kubernetes.image=registry.example/plume:0.1.0 | kubectl apply -f -
  plume render -f job.yaml -o json | jq '.items[].kind'
  plume render -f deploy/pipelines/distilled.yaml --set edm.checkpoint.store=s3://bucket/edm   # for the operator

A pipeline is one object, a DiffusionPipeline with every job in line: the operator makes a DiffusionJob of each stage.

Exit codes: 0 printed, 2 a mistake in the command or the job file.`,
    )
    .action(action(render));
}

async function render(io: CommandIo, { file, namespace, output, set }: RenderOptions): Promise<undefined> {
  const format = oneOf("--output", output, FORMATS);
  if (namespace !== undefined) checkNamespace(namespace);
  const items = itemsOf(io, file, namespace, set);
  const list = { apiVersion: "v1", kind: "List", items };
  io.result(list);
  const yaml = () => items.map((item) => stringify(item, { aliasDuplicateObjects: false })).join("---\n");
  io.print((format === "json" ? JSON.stringify(list, null, 2) : yaml()).trimEnd());
  return undefined;
}

function itemsOf(io: CommandIo, file: string, namespace: string | undefined, set: readonly string[]): object[] {
  if (readMapping(file).kind === PIPELINE_KIND) {
    const pipeline = inlined(loadPipeline(file, set));
    return [{ ...pipeline, metadata: { ...pipeline.metadata, ...(namespace !== undefined && { namespace }) } }];
  }
  const { job, token } = loadJobAndToken(file, { set });
  if (token !== null)
    io.note(`  monitoring.token is not printed: put it into a secret\n    ${secretCommand(job.metadata.name)}`);
  return renderJob(job, namespace === undefined ? {} : { namespace }) as object[];
}

const secretCommand = (job: string) => `kubectl create secret generic ${job}-page --from-literal=token=...`;

function checkNamespace(name: string): void {
  if (/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)) return;
  throw new PlumeError("INVALID_ARGUMENT", `--namespace ${quoted(name)} is no name of a namespace`, {
    remedy: "lower-case letters, digits and '-', at most 63 long",
  });
}
