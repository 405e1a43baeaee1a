// What to do about a pod that is not made or does not run: Kubernetes says what is the matter, here is which field of the job or
// which object of the cluster to change. Pure.

import type { Component } from "./observed.ts";

/** Groups of the job's file, by the pods that they are about. */
const FIELDS: Readonly<Record<Component, string>> = {
  coordinator: "kubernetes.coordinator",
  worker: "kubernetes.workers",
};

type Rule = readonly [RegExp, (found: readonly string[], fields: string, component: Component) => string];

const fewer = (component: Component): string => (component === "worker" ? " or workers.replicas" : "");

/** The first that fits counts. */
const RULES: readonly Rule[] = [
  [
    /exceeded quota: ([^,\s]+)/,
    ([, quota], fields, component) =>
      `raise ResourceQuota ${quota}, or lower ${fields}.resources${fewer(component)}; the StatefulSet tries again by itself`,
  ],
  [
    /failed quota: ([^:\s]+): must specify ([^\s]+)/,
    ([, quota, what], fields) =>
      `ResourceQuota ${quota} counts ${what}: say it in ${fields}.resources, or give the namespace a LimitRange with defaults`,
  ],
  [
    /violates PodSecurity "([^"]+)"/,
    ([, standard]) =>
      `plume's own pods pass restricted: take away what was added to the StatefulSet's template, or change the namespace's label pod-security.kubernetes.io/enforce from ${standard?.split(":")[0]}`,
  ],
  [
    /(?:maximum|minimum) \S+ usage per|limit to request ratio per/,
    (_, fields) => `set ${fields}.resources to what the namespace's LimitRange allows`,
  ],
  [
    /must be less than or equal to (\S+) limit/,
    ([, resource], fields) =>
      `set limits.${resource} in ${fields}.resources, where a LimitRange of the namespace sets one that is too low`,
  ],
  [
    /no PriorityClass with name (\S+) was found/i,
    ([, name], fields) => `create PriorityClass ${name}, or change ${fields}.priorityClassName`,
  ],
  [
    /RuntimeClass "?([^"\s]+)"? not found/i,
    ([, name], fields) => `create RuntimeClass ${name}, or change ${fields}.runtimeClassName`,
  ],
  [
    /Insufficient ([^\s,]*\w\/\w[^\s,]*\w)/,
    ([, resource], fields) =>
      `add a node that offers ${resource} (its device plugin must run there), or ask for none in ${fields}.resources`,
  ],
  [/Insufficient (\w+)/, ([, resource], fields) => `add a node with more ${resource}, or lower ${fields}.resources`],
  [/untolerated taint \{([^:}]+)/, ([, key], fields) => `bear the taint ${key} in ${fields}.tolerations`],
  [/match Pod's node affinity\/selector/, (_, fields) => `label a node as ${fields}.nodeSelector asks, or change it`],
  [
    /PersistentVolumeClaim|persistentvolumeclaim/,
    () => "kubernetes.storage needs a StorageClass that is the cluster's default and makes volumes",
  ],
  [
    /ErrImage|ImagePull|InvalidImageName/,
    () => "correct kubernetes.image, or let the nodes pull it (imagePullSecrets of the pods' service accounts)",
  ],
  [/OOMKilled/, (_, fields) => `raise memory in ${fields}.resources`],
  [
    /executable file not found|no such file or directory|code 12[67]\b/,
    () => "kubernetes.image must be an image of plume: the pods' command is node and /app",
  ],
];

/** @param said what Kubernetes or the process says. @returns null where nothing better is known than that. */
export function remedyOf(said: string, component: Component): string | null {
  for (const [pattern, remedy] of RULES) {
    const found = pattern.exec(said);
    if (found) return remedy(found, FIELDS[component], component);
  }
  return null;
}

export function withRemedy(said: string, component: Component): string {
  const remedy = remedyOf(said, component);
  return remedy === null ? said : `${said}; ${remedy}`;
}
