// The Chromium that deploy/services/setup-browser.sh puts into plume's cache, and pages that keep what went wrong in them.

import { existsSync } from "node:fs";
import { join } from "node:path";
import axe from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { cacheFolder } from "../../shared/cache-folder.ts";

/** @throws when it is not there: nothing is skipped. */
export async function openBrowser(): Promise<Browser> {
  const executablePath = join(cacheFolder(), "chromium/chromium");
  if (!existsSync(executablePath)) throw new Error(`${executablePath} is missing: npm run setup:browser`);
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

export interface Watched {
  readonly page: Page;
  /** Errors of scripts, and of the console but for requests that met nobody. */
  readonly errors: string[];
  /** Everything that was asked for. */
  readonly requests: string[];
}

export async function watchedPage(browser: Browser, options: BrowserContextOptions = {}): Promise<Watched> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, ...options });
  const page = await context.newPage();
  const errors: string[] = [];
  const requests: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error.stack)));
  page.on("console", (message) => {
    const text = message.text();
    if (message.type() === "error" && !text.startsWith("Failed to load resource: net::ERR_")) errors.push(text);
  });
  page.on("request", (request) => requests.push(request.url()));
  return { page, errors, requests };
}

/** What axe-core finds against WCAG 2 and its best practices. */
export async function violationsOf(page: Page): Promise<string[][]> {
  // The pages' own policy lets no script in that they did not bring; the tool comes through the debugger's door.
  await page.evaluate(axe.source);
  const found = (await page.evaluate("axe.run()")) as {
    violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  return found.violations.map(({ id, nodes }) => [
    id,
    ...nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`),
  ]);
}

/** Presses a button of the live page, and the one of the dialog that asks whether it is meant. */
export async function confirm(page: Page, button: string, answer = button): Promise<void> {
  await page.getByRole("button", { name: button, exact: true }).click();
  await page.locator("dialog").getByRole("button", { name: answer, exact: true }).click();
}
