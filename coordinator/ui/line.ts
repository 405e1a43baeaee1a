// What is asked of the server, with the token where there is one.

export interface Line {
  readonly hasToken: boolean;
  headers(more?: Record<string, string>): Record<string, string>;
  /** @returns any answer, refusals too. */
  ask(path: string, how?: RequestInit & { readonly headers?: Record<string, string> }): Promise<Response>;
  get<T>(path: string): Promise<T>;
  /** A picture, or another file, as an address for <img> and <a>. */
  picture(path: string): Promise<string>;
  unlock(token: string): void;
}

const TOKEN = "plume-token";

export function createLine(): Line {
  let token = takeToken();
  const headers = (more: Record<string, string> = {}) => (token ? { ...more, authorization: `Bearer ${token}` } : more);
  const ask: Line["ask"] = (path, how = {}) =>
    fetch(path, { ...how, headers: headers(how.headers), cache: "no-store" });
  const fetched = async (path: string) => {
    const response = await ask(path);
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return response;
  };
  return {
    get hasToken() {
      return token !== null;
    },
    headers,
    ask,
    get: async <T>(path: string) => (await fetched(path)).json() as Promise<T>,
    picture: async (path) => URL.createObjectURL(await (await fetched(path)).blob()),
    unlock(given) {
      token = given;
      sessionStorage.setItem(TOKEN, given);
    },
  };
}

/** From the address, out of which it is taken: whoever sees the screen or the history must not see it. */
function takeToken(): string | null {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(TOKEN, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(TOKEN);
}
