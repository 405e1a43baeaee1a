// The page in a real browser over a site without a run behind it: a long history, behind a proxy's path, without a token.

import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBrowser, type Watched, watchedPage } from "../support/browser.ts";
import { scratchFolder } from "../support/plume.ts";
import { type OpenedSite, openSite, stepEvent, writeHistory } from "../support/site.ts";

const STEPS = 10_000;
const PREFIX = "/runs/tiny/";

/** As a reverse proxy in front of several runs: takes the prefix off, and its own name for the host's. */
async function proxyTo(target: string): Promise<Server> {
  const { hostname, port } = new URL(target);
  const pass = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    if (!incoming.url!.startsWith(PREFIX)) return void outgoing.writeHead(404).end();
    const headers = { ...incoming.headers, host: `${hostname}:${port}`, "x-forwarded-host": incoming.headers.host };
    const path = incoming.url!.slice(PREFIX.length - 1);
    const inner = request({ hostname, port, path, method: incoming.method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(outgoing);
    });
    inner.on("error", () => outgoing.destroy());
    outgoing.on("close", () => inner.destroy());
    incoming.pipe(inner);
  };
  const server = createServer(pass);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

const scratch = scratchFolder();
let site: OpenedSite;
let proxy: Server;
let browser: Browser;
let watched: Watched;
let page: Page;

beforeAll(async () => {
  writeHistory(scratch.path, STEPS);
  site = await openSite({
    folder: scratch.path,
    set: ["training.steps=20000", "training.globalBatch=64", "training.microBatch=16"],
  });
  proxy = await proxyTo(site.url);
  browser = await openBrowser();
  watched = await watchedPage(browser);
  page = watched.page;
  await page.goto(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}${PREFIX}`);
});

afterAll(async () => {
  await browser.close();
  proxy.closeAllConnections();
  proxy.close();
  await site.close();
  scratch[Symbol.dispose]();
});

const lossLabel = () => page.getAttribute("#loss", "aria-label");

describe("the page of a run of 10,000 steps behind a proxy's path", () => {
  it("shows them all at first, from a few hundred points", async () => {
    await expect.poll(lossLabel, { timeout: 30_000 }).toContain(`steps 0 to ${STEPS - 1}`);
    expect(await page.textContent("#link")).toBe("live");
    expect(await page.textContent("#blocks-value")).toMatch(/step 9,999: worker-0 50 %, worker-1 50 %/);
    const history = await page.evaluate("fetch('api/history?points=1200').then((answer) => answer.text())");
    expect(String(history).length).toBeLessThan(120_000);
  });

  it("shows every step of a range that is zoomed into, to the digit", async () => {
    await page.getByRole("button", { name: "last 100" }).click();
    await expect.poll(lossLabel, { timeout: 30_000 }).toContain("steps 9900 to 9999");
    await page.getByRole("slider", { name: "smoothing" }).fill("0");
    await page.focus("#loss");
    const words = async () => {
      await page.keyboard.press("End");
      return page.textContent("#loss-value");
    };
    await expect.poll(words, { timeout: 30_000 }).toBe(`step 9,999: loss ${stepEvent(9_999).loss.toPrecision(4)}`);
  });

  it("goes on with each new step, and keeps its points bounded", async () => {
    await page.focus("#loss");
    await page.keyboard.press("0");
    for (let step = STEPS; step < STEPS + 2_000; step += 100) {
      for (let i = 0; i < 100; i++) site.bus.publish(stepEvent(step + i));
      await expect.poll(lossLabel, { timeout: 30_000 }).toContain(`to ${step + 99},`);
    }
    await expect
      .poll(() => page.textContent("#blocks .ends"))
      .toContain(`step ${(STEPS + 1_999).toLocaleString("en")}`);
    expect(await page.evaluate("document.querySelector('#blocks canvas').width")).toBeLessThan(2_100);
  });

  it("takes a command through the proxy, without a token, and none of another page's", async () => {
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await page.keyboard.press("Enter");
    await expect.poll(() => site.paused()).toBe("asked to pause (HTTP)");
    const other = await watchedPage(browser);
    await other.page.goto("data:text/html,<p>another site</p>");
    const tried = await other.page.evaluate(
      `Promise.all(["POST", "GET"].map((method) => fetch("${site.url}/api/cmd/resume", { method, mode: "no-cors", ...(method === "POST" ? { body: '{"id":"x"}' } : {}) }).then((r) => r.type, String)))`,
    );
    expect(tried).not.toEqual([]);
    const asked = await other.page.evaluate(
      `fetch("${site.url}/api/cmd/resume", { method: "POST", headers: { "x-plume": "1", "content-type": "application/json" }, body: '{"id":"y"}' }).then(() => "was let in", () => "was not")`,
    );
    expect(asked).toBe("was not");
    expect(await other.page.evaluate(`fetch("${site.url}/api/run").then(() => "was let in", () => "was not")`)).toBe(
      "was not",
    );
    expect(site.paused()).toBe("asked to pause (HTTP)");
    await other.page.context().close();
  });

  it("asks its own server alone, under the proxy's path, and meets no error", () => {
    const own = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${PREFIX}`;
    expect(watched.requests.filter((each) => !each.startsWith(own))).toEqual([]);
    expect(watched.errors).toEqual([]);
  });
});
