// What a job says of its pods, filled into the pod template of base.

import type { JobSpec } from "../../shared/config/schema.ts";

type Wishes = JobSpec["kubernetes"]["workers"];

interface Container {
  readonly name: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: object }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly envFrom: readonly { readonly secretRef: { readonly name: string; readonly optional: boolean } }[];
  readonly [field: string]: unknown;
}

interface Volume {
  readonly name: string;
  readonly configMap?: { readonly name: string };
  readonly [field: string]: unknown;
}

export interface PodTemplate {
  readonly metadata: {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly containers: readonly [Container];
    readonly volumes: readonly Volume[];
    readonly [field: string]: unknown;
  };
}

/** Image, secret, resources and where the pod may run; what the job says nothing of is not there. */
export function withWishes(template: PodTemplate, kubernetes: JobSpec["kubernetes"], wishes: Wishes): PodTemplate {
  const { image, imagePullPolicy, secret, tls } = kubernetes;
  const { metadata, spec } = template;
  const [container] = spec.containers;
  const made: PodTemplate = {
    metadata: { ...metadata, annotations: { ...metadata.annotations, ...wishes.annotations } },
    spec: {
      ...spec,
      ...given({
        nodeSelector: wishes.nodeSelector,
        tolerations: wishes.tolerations,
        priorityClassName: wishes.priorityClassName,
        runtimeClassName: wishes.runtimeClassName,
      }),
      containers: [
        {
          ...container,
          image,
          imagePullPolicy,
          envFrom: container.envFrom.map(({ secretRef }) => ({ secretRef: { ...secretRef, name: secret } })),
          resources: given(wishes.resources),
        },
      ],
    },
  };
  return tls === undefined ? made : withCertificates(made, tls);
}

/** As k8s/components/cert-manager mounts them. */
const CERTIFICATES = "/etc/plume-tls";

function withCertificates({ metadata, spec }: PodTemplate, secretName: string): PodTemplate {
  const [container] = spec.containers;
  const env = [...container.env, { name: "PLUME_TLS", value: CERTIFICATES }];
  const volumeMounts = [...container.volumeMounts, { name: "tls", mountPath: CERTIFICATES, readOnly: true }];
  // For its group alone: the key is in it.
  const volume = { name: "tls", secret: { secretName, defaultMode: 0o440 } };
  return {
    metadata,
    spec: { ...spec, containers: [{ ...container, env, volumeMounts }], volumes: [...spec.volumes, volume] },
  };
}

/** One supervising process that starts so many workers, one a device. */
export function withProcesses(template: PodTemplate, perPod: number): PodTemplate {
  if (perPod === 1) return template;
  const [container] = template.spec.containers;
  const command = container.command.map((word) => word.replace("/worker.mjs", "/worker-pod.mjs"));
  const args = [...container.args, `--processes=${perPod}`];
  return { ...template, spec: { ...template.spec, containers: [{ ...container, command, args }] } };
}

/** The folder of the run on a volume of the cluster, which outlives the pod. */
export function withoutVolume(template: PodTemplate, name: string): PodTemplate {
  const volumes = template.spec.volumes.filter((volume) => volume.name !== name);
  return { ...template, spec: { ...template.spec, volumes } };
}

export function withJob(template: PodTemplate, generated: string, name: string): PodTemplate {
  const volumes = template.spec.volumes.map((volume) =>
    volume.configMap?.name === generated ? { ...volume, configMap: { ...volume.configMap, name } } : volume,
  );
  return { ...template, spec: { ...template.spec, volumes } };
}

function given<T extends object>(fields: T): Partial<T> {
  const isThere = (value: unknown) => value !== undefined && Object.keys(value as object).length > 0;
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => isThere(value))) as Partial<T>;
}
