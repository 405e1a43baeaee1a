// A real Kubernetes control plane on this machine alone: etcd, kube-apiserver and kube-controller-manager as processes. Admission, RBAC,
// garbage collection, workload controllers and watches are the real ones; no scheduler and no kubelet runs here.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import { scratchFolder } from "../plume.ts";
import { freePort } from "../processes.ts";
import { type Certificates, createCertificates } from "./certificates.ts";
import { createKubectl, type Kubectl } from "./kubectl.ts";
import { binary, createServer, type Server } from "./server.ts";

export interface ControlPlaneOptions {
  /** The API server's address; 127.0.0.1 unless something else is to reach it. */
  readonly host?: string;
  /** A node that did not renew its lease for so long is not ready; Kubernetes' own default is 50. */
  readonly nodeGraceSeconds?: number;
  /** And its pods are deleted so much later; Kubernetes' own default is 300. */
  readonly evictionSeconds?: number;
  /** Writes down the calls of service accounts that are not Kubernetes' own. */
  readonly audit?: boolean;
}

/** What a client needs to be the administrator, beside the kubeconfig that says the same. */
interface Credentials {
  /** https://host:port */
  readonly url: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface ControlPlane extends AsyncDisposable {
  /** File for KUBECONFIG, of an administrator. */
  readonly kubeconfig: string;
  readonly credentials: Credentials;
  readonly kubectl: Kubectl;
  readonly etcd: Server;
  readonly apiServer: Server;
  readonly controllerManager: Server;
  /** A namespace of its own, where only pods of the restricted standard are admitted. @returns its name. */
  namespace(): Promise<string>;
  /** Of `audit`: a file of audit.k8s.io/v1 Events, one a line. */
  readonly auditLog: string;
  /** What a server said so far. */
  log(server: "etcd" | "apiserver" | "controllers"): string;
}

/** @throws PlumeError FAILED_PRECONDITION when it is not built. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  binary("kube-apiserver");
  const scratch = scratchFolder();
  for (const folder of ["pki", "etcd", "kubectl"]) mkdirSync(scratch.file(folder));
  const { host = "127.0.0.1" } = options;
  const certificates = createCertificates(scratch.file("pki"), host);
  const [etcdPort, peerPort, port, controllerPort] = await freePorts(4);
  const text = (file: string) => readFileSync(file, "utf8");
  const credentials = {
    url: `https://${host}:${port}`,
    ca: text(certificates.ca),
    cert: text(certificates.admin.certificate),
    key: text(certificates.admin.key),
  };
  const kubeconfig = scratch.file("kubeconfig");
  writeFileSync(kubeconfig, kubeconfigOf(credentials), { mode: 0o600 });
  const kubectl = createKubectl(kubeconfig, scratch.file("kubectl"));
  const auditLog = scratch.file("audit.log");
  writeFileSync(scratch.file("audit-policy"), AUDIT_POLICY);
  const auditFlags = [`--audit-policy-file=${scratch.file("audit-policy")}`, `--audit-log-path=${auditLog}`];

  const etcd = createServer({
    command: etcdCommand(scratch.file("etcd"), etcdPort!, peerPort!),
    log: scratch.file("etcd.log"),
    ready: () => answers(`http://127.0.0.1:${etcdPort}/health`),
  });
  const apiServer = createServer({
    command: [...apiServerCommand(certificates, etcdPort!, port!, options), ...(options.audit ? auditFlags : [])],
    log: scratch.file("apiserver.log"),
    ready: () => isReady(credentials),
  });
  const controllerManager = createServer({
    command: controllerCommand(certificates, kubeconfig, controllerPort!, options),
    log: scratch.file("controllers.log"),
    // Its service accounts and its roots in every namespace are what pods wait for.
    ready: () => kubectl(["get", "serviceaccount/default", "configmap/kube-root-ca.crt"]).then(...yes),
  });

  const servers = [controllerManager, apiServer, etcd];
  const dispose = async (): Promise<void> => {
    for (const server of servers) await server.kill();
    scratch[Symbol.dispose]();
  };
  try {
    for (const server of [etcd, apiServer, controllerManager]) await server.start();
  } catch (error) {
    await dispose();
    throw error;
  }
  let namespaces = 0;
  return {
    kubeconfig,
    credentials,
    kubectl,
    etcd,
    apiServer,
    controllerManager,
    auditLog,
    async namespace() {
      const name = `test-${++namespaces}`;
      await kubectl(["create", "-f", "-"], { input: restricted(name) });
      return name;
    },
    log: (server) => readFileSync(scratch.file(`${server}.log`), "utf8"),
    [Symbol.asyncDispose]: dispose,
  };
}

const yes = [() => true, () => false] as const;

/** Ports that nobody listens on, asked for at once so that they differ. */
const freePorts = (count: number): Promise<number[]> => Promise.all(Array.from({ length: count }, freePort));

const etcdCommand = (folder: string, port: number, peerPort: number): readonly string[] => [
  binary("etcd"),
  `--data-dir=${folder}`,
  `--listen-client-urls=http://127.0.0.1:${port}`,
  `--advertise-client-urls=http://127.0.0.1:${port}`,
  `--listen-peer-urls=http://127.0.0.1:${peerPort}`,
  `--initial-advertise-peer-urls=http://127.0.0.1:${peerPort}`,
  `--initial-cluster=default=http://127.0.0.1:${peerPort}`,
  // What a power cut would lose is lost to nobody here; a killed process loses nothing.
  "--unsafe-no-fsync",
  "--log-level=warn",
];

const apiServerCommand = (
  { ca, server, admin, accounts }: Certificates,
  etcdPort: number,
  port: number,
  { host = "127.0.0.1", evictionSeconds = 300 }: ControlPlaneOptions,
): readonly string[] => [
  binary("kube-apiserver"),
  `--etcd-servers=http://127.0.0.1:${etcdPort}`,
  `--bind-address=${host}`,
  `--secure-port=${port}`,
  `--tls-cert-file=${server.certificate}`,
  `--tls-private-key-file=${server.key}`,
  `--client-ca-file=${ca}`,
  `--service-account-key-file=${accounts.publicKey}`,
  `--service-account-signing-key-file=${accounts.key}`,
  "--service-account-issuer=https://kubernetes.default.svc",
  "--service-cluster-ip-range=10.0.0.0/20",
  "--authorization-mode=Node,RBAC",
  "--endpoint-reconciler-type=none",
  "--enable-admission-plugins=PodSecurity,NodeRestriction",
  `--kubelet-client-certificate=${admin.certificate}`,
  `--kubelet-client-key=${admin.key}`,
  `--default-not-ready-toleration-seconds=${evictionSeconds}`,
  `--default-unreachable-toleration-seconds=${evictionSeconds}`,
];

const controllerCommand = (
  { ca, accounts }: Certificates,
  kubeconfig: string,
  port: number,
  { nodeGraceSeconds = 50 }: ControlPlaneOptions,
): readonly string[] => [
  binary("kube-controller-manager"),
  `--kubeconfig=${kubeconfig}`,
  "--bind-address=127.0.0.1",
  `--secure-port=${port}`,
  `--root-ca-file=${ca}`,
  `--service-account-private-key-file=${accounts.key}`,
  "--use-service-account-credentials=true",
  "--leader-elect=false",
  "--kube-api-qps=200",
  "--kube-api-burst=400",
  "--node-monitor-period=1s",
  `--node-monitor-grace-period=${nodeGraceSeconds}s`,
];

const AUDIT_POLICY = JSON.stringify({
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  rules: [
    { level: "None", userGroups: ["system:serviceaccounts:kube-system"] },
    { level: "Metadata", userGroups: ["system:serviceaccounts"], omitStages: ["RequestReceived"] },
    { level: "None" },
  ],
});

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** YAML's subset that JSON is. */
const kubeconfigOf = ({ url, ca, cert, key }: Credentials): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "test", cluster: { server: url, "certificate-authority-data": base64(ca) } }],
    users: [{ name: "admin", user: { "client-certificate-data": base64(cert), "client-key-data": base64(key) } }],
    contexts: [{ name: "test", context: { cluster: "test", user: "admin", namespace: "default" } }],
    "current-context": "test",
  });

const restricted = (name: string): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
  });

const answers = (url: string): Promise<boolean> =>
  fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );

const isReady = ({ url, ...tls }: Credentials): Promise<boolean> =>
  new Promise((resolve) => {
    get(`${url}/readyz`, { ...tls, agent: false, signal: AbortSignal.timeout(2000) }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    }).on("error", () => resolve(false));
  });
