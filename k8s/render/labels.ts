// The labels by which plume's objects are known in a cluster: base has them, and whoever looks for its objects.

export const NAME = "app.kubernetes.io/name";
/** The job that an object is made for. */
export const INSTANCE = "app.kubernetes.io/instance";
/** coordinator, worker */
export const COMPONENT = "app.kubernetes.io/component";
/** What NAME says of all of them. */
export const PLUME = "plume";
