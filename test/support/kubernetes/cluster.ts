// A whole cluster for a test: the real control plane, and a kubelet that runs its pods as processes of plume's image.

import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from "./control-plane.ts";
import { type Kubelet, type KubeletOptions, startKubelet } from "./kubelet/kubelet.ts";

export interface Cluster extends AsyncDisposable, Pick<ControlPlane, "kubectl" | "kubeconfig" | "namespace"> {
  readonly plane: ControlPlane;
  readonly kubelet: Kubelet;
}

/** @throws PlumeError FAILED_PRECONDITION when the control plane is not built; Error without the rights of root. */
export async function startCluster(options: KubeletOptions & ControlPlaneOptions): Promise<Cluster> {
  const plane = await startControlPlane(options);
  try {
    const kubelet = await startKubelet(plane, options);
    const { kubectl, kubeconfig, namespace } = plane;
    return {
      plane,
      kubelet,
      kubectl,
      kubeconfig,
      namespace,
      async [Symbol.asyncDispose]() {
        await kubelet[Symbol.asyncDispose]();
        await plane[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await plane[Symbol.asyncDispose]();
    throw error;
  }
}
