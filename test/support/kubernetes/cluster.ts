// A whole cluster for a test: the real control plane, and a kubelet that runs its pods as processes of plume's image.

import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from "./control-plane.ts";
import { type Kubelet, type KubeletOptions, startKubelet } from "./kubelet/kubelet.ts";
import { createNetwork } from "./kubelet/network.ts";

export interface Cluster extends AsyncDisposable, Pick<ControlPlane, "kubectl" | "kubeconfig" | "namespace"> {
  readonly plane: ControlPlane;
  readonly kubelet: Kubelet;
  /** Of this machine, as its pods reach it: where servers of the tests listen that pods talk to. */
  readonly host: string;
}

interface ClusterOptions extends KubeletOptions, ControlPlaneOptions {
  /**
   * What each pod may send a second (`createNetwork`): runs of small jobs then wait for the network most of the time, leave the
   * processor to what else there is, and end at a step that is soon trained again.
   */
  readonly egress?: string;
}

/** @throws PlumeError FAILED_PRECONDITION when the control plane is not built; and without the rights of root. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const started: (Disposable | AsyncDisposable)[] = [];
  const end = async () => {
    for (const each of started.reverse())
      if (Symbol.asyncDispose in each) await each[Symbol.asyncDispose]();
      else each[Symbol.dispose]();
  };
  try {
    const network = await createNetwork(options.egress);
    started.push(network);
    const plane = await startControlPlane({ ...options, host: network.address });
    started.push(plane);
    const kubelet = await startKubelet(plane, network, options);
    started.push(kubelet);
    const { kubectl, kubeconfig, namespace } = plane;
    return { plane, kubelet, kubectl, kubeconfig, namespace, host: network.address, [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }
}
