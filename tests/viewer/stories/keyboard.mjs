/** Getting about without a mouse, and on a small screen. */

import { ensure, ensureEqual, until } from "../support/checks.mjs";

export async function leaveByKeyboard({ checks, name, terminal }) {
  await checks.run(`Control and F6 leave the terminal for the first button in view, ${name}`, async () => {
    await terminal.page.locator(".xterm-screen").click();
    await terminal.page.keyboard.press("Control+F6");
    const buttons = terminal.page.locator(".tools button:visible");
    const focused = terminal.page.locator(".tools button:focus");
    ensureEqual(await focused.count(), 1, "focused buttons");
    ensure(await focused.isVisible(), "the focused button is hidden");
    ensureEqual(await focused.getAttribute("aria-label"), await buttons.first().getAttribute("aria-label"), "focused button");
    await terminal.page.keyboard.press("Tab");
    ensureEqual(await focused.getAttribute("aria-label"), await buttons.nth(1).getAttribute("aria-label"), "the next by Tab");
  });
}

export async function holdAPhone({ checks, phone, picture }) {
  await checks.run("on a phone the page fits its width and the key buttons type", async () => {
    const { page } = phone;
    const [wide, view] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    ensure(wide <= view, `the page is ${wide} px wide in a view of ${view}`);
    await phone.type("sleep 60");
    await phone.until("the command", (rows) => rows.some((row) => row.endsWith("sleep 60")));
    await page.getByRole("button", { name: "Control C, interrupt" }).tap();
    await phone.shows(/\^C$/, 5_000);
    await phone.atPrompt();
    await page.getByRole("button", { name: "Up", exact: true }).tap();
    await phone.shows(/\$ sleep 60$/);
    await page.getByRole("button", { name: "Control C, interrupt" }).tap();
    await phone.atPrompt();
    await picture(page, "6-phone-terminal");
  });
  await checks.run("on a phone the page follows a long line to its end and comes back for the next", async () => {
    const { page } = phone;
    const scrolled = () => page.locator(".terminal-frame").evaluate((frame) => frame.scrollLeft);
    await phone.type(`echo ${"far-".repeat(20)}right`);
    await phone.shows(/^(far-)+right$/);
    await until("the beginning of the next line", async () => (await scrolled()) === 0);
    await page.keyboard.type(`echo ${"far-".repeat(20)}right`);
    await phone.shows(/\$ echo (far-)+right$/);
    await until("the end of the line is in view", async () => {
      const cursor = await page.locator(".xterm-cursor").boundingBox();
      return cursor !== null && cursor.x > 0 && cursor.x + cursor.width < page.viewportSize().width;
    });
    ensure((await scrolled()) > 0, "the line is not long enough to show anything");
    await picture(page, "6-phone-long-line");
    await page.keyboard.press("Control+C");
    await phone.atPrompt();
  });
}
