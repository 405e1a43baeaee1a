// The page of plume serve in a real browser: it asks, shows, varies, refuses beside the field, and is for everybody.

import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBrowser, violationsOf, type Watched, watchedPage } from "../support/browser.ts";
import { type StartOptions, scratchFolder, textJob, tinyJob, train } from "../support/plume.ts";
import { type Serving, startServing } from "../support/serving.ts";

const TOKEN = "a-token-that-is-in-no-file-0123456789";
const scratch = scratchFolder();
let browser: Browser;
const servers: Serving[] = [];

async function serve(job: string, name: string, options: StartOptions = {}): Promise<Serving> {
  const run = scratch.file(name);
  await train(job, run, "--steps", "1", "--workers", "1");
  const server = await startServing([run, "--workers", "1"], options);
  servers.push(server);
  return server;
}

beforeAll(async () => {
  browser = await openBrowser();
});

afterAll(async () => {
  await browser.close();
  for (const { child, finished } of servers) {
    child.kill("SIGTERM");
    await finished;
  }
  scratch[Symbol.dispose]();
});

const results = (page: Page) => page.locator(".result");
const thumbs = (page: Page) => results(page).first().locator("img");
const press = (page: Page, name: string) => page.getByRole("button", { name, exact: true }).first().click();

describe("the page of a model that reads captions", () => {
  let watched: Watched;
  let page: Page;
  let url: string;
  beforeAll(async () => {
    ({ url } = await serve(textJob(scratch.path), "text"));
    watched = await watchedPage(browser);
    page = watched.page;
    await page.goto(url);
    await page.getByLabel("prompt", { exact: true }).waitFor();
  });

  it("says what it is of, and offers prompts and the words it knows", async () => {
    expect(await page.textContent("#about")).toBe("step 1, EMA weights, 16×16 pixels, colour");
    await press(page, "large red square top left");
    expect(await page.getByLabel("prompt", { exact: true }).inputValue()).toBe("large red square top left");
    await page.getByText("words it knows").click();
    expect(await page.textContent("details p")).toContain("triangle");
  });

  it("draws by the Enter key, shows every image with its number and how it was made", async () => {
    await page.getByLabel("images", { exact: true }).fill("4");
    await page.getByLabel("images", { exact: true }).press("Enter");
    await expect.poll(() => thumbs(page).count(), { timeout: 60_000 }).toBe(4);
    await expect
      .poll(() =>
        thumbs(page)
          .nth(3)
          .evaluate((image: { naturalWidth: number }) => image.naturalWidth),
      )
      .toBe(16);
    expect(await results(page).first().textContent()).toMatch(
      /^large red square top leftseed 0 · .* 3 steps · guidance 2 · weights of step 1 · [\d.]+ s#0#1#2#3/,
    );
    expect(await page.locator(".drawing p").textContent()).toMatch(/^4 images in [\d.]+ s$/);
  });

  it("says a mistake beside its field, in the words of the command line, and takes it back with the next", async () => {
    const prompt = page.getByLabel("prompt", { exact: true });
    await prompt.fill("large rde square");
    await press(page, "Generate");
    const mistake = page.locator("#ask-prompt-mistake");
    await expect.poll(() => mistake.textContent()).toMatch(/the word rde, which no caption has: did you mean red\?/);
    expect(await prompt.getAttribute("aria-invalid")).toBe("true");
    expect(
      await prompt.evaluate(
        (input) =>
          input === (input as never as { ownerDocument: { activeElement: unknown } }).ownerDocument.activeElement,
      ),
    ).toBe(true);
    await prompt.fill("small blue circle");
    await press(page, "Generate");
    await expect.poll(() => results(page).count(), { timeout: 60_000 }).toBe(2);
    expect(await mistake.isVisible()).toBe(false);
  });

  it("varies a result by the next seed, and shows an image large, with its neighbours by the arrow keys", async () => {
    await press(page, "Variations");
    await expect.poll(() => results(page).count(), { timeout: 60_000 }).toBe(3);
    expect(await results(page).first().textContent()).toContain("small blue circleseed 1");
    await thumbs(page).nth(1).click();
    const large = page.locator("dialog.large");
    expect(await large.locator("h2").textContent()).toBe("Image 1 of seed 1: small blue circle");
    await page.keyboard.press("ArrowRight");
    expect(await large.locator("h2").textContent()).toContain("Image 2");
    const [saved] = await Promise.all([page.waitForEvent("download"), large.getByText("Download").click()]);
    expect(saved.suggestedFilename()).toBe("seed-1-image-2.png");
    expect(
      readFileSync(await saved.path())
        .subarray(1, 4)
        .toString(),
    ).toBe("PNG");
    expect(await violationsOf(page)).toEqual([]);
    await page.keyboard.press("Escape");
    expect(await large.isVisible()).toBe(false);
  });

  it.each(["light", "dark"] as const)("has no fault that axe-core finds, %s", async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    await expect.poll(() => page.getAttribute("html", "data-theme")).toBe(colorScheme);
    expect(await violationsOf(page)).toEqual([]);
  });

  it("fits a phone without a sideways scroll", async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await expect.poll(() => page.evaluate("document.documentElement.scrollWidth")).toBe(390);
    expect(await violationsOf(page)).toEqual([]);
  });

  it("asked nobody but its own server, and met no error but the refusal", () => {
    expect(watched.requests.filter((each) => !each.startsWith(`${url}/`) && !each.startsWith("blob:"))).toEqual([]);
    expect(watched.errors.filter((error) => !/status of 400/.test(error))).toEqual([]);
  });
});

describe("the page of a model with classes, and of a server with a token", () => {
  let page: Page;
  let server: Serving;
  beforeAll(async () => {
    server = await serve(tinyJob(scratch.path), "classes", { env: { PLUME_TOKEN: TOKEN } });
    ({ page } = await watchedPage(browser));
  });

  it("asks for the token, and opens with it", async () => {
    expect(server.link).not.toContain(TOKEN);
    await page.goto(server.url);
    await page.fill("#dialog input", "not-the-token");
    await page.keyboard.press("Enter");
    await expect.poll(() => page.textContent("#dialog")).toContain("That was not its token");
    await page.fill("#dialog input", TOKEN);
    await page.keyboard.press("Enter");
    await page.getByLabel("class", { exact: true }).waitFor();
  });

  it("picks a class by name, is called off, and draws again", async () => {
    await page.getByLabel("class", { exact: true }).selectOption("ring");
    expect(await page.getByLabel("prompt", { exact: true }).count()).toBe(0);
    await page.getByLabel("images", { exact: true }).fill("256");
    await page.getByLabel("steps", { exact: true }).fill("1000");
    await press(page, "Generate");
    await expect
      .poll(() => page.locator(".drawing p").textContent(), { timeout: 60_000 })
      .toMatch(/^\d+ of 256 images$/);
    await press(page, "Cancel");
    await expect.poll(() => page.locator(".drawing p").textContent()).toBe("called off");
    await page.getByLabel("images", { exact: true }).fill("2");
    await page.getByLabel("steps", { exact: true }).fill("4");
    await press(page, "Generate");
    await expect.poll(() => thumbs(page).count(), { timeout: 60_000 }).toBe(2);
    expect(await results(page).first().locator("h3").textContent()).toBe("Class ring");
    expect(await thumbs(page).first().getAttribute("alt")).toBe("Image 0 of seed 0: ring");
  });
});
