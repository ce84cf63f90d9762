/** A session's page in the hands of a person: what the terminal shows, and typing into it. */

import { until } from "./checks.mjs";

/** A shell's prompt as the demo's hosts write it, alone on its row. */
const PROMPT = /^\[[^\]]+\][$#]$/;

export class TerminalPage {
  constructor(page) {
    this.page = page;
    this.badge = page.locator(".badge");
    this.status = page.locator(".connection");
    this.note = page.locator(".note");
  }

  /** The rows in view, without the blanks at their ends. */
  async rows() {
    const rows = await this.page.locator(".xterm-rows > div").allTextContents();
    return rows.map((row) => row.replaceAll("\u00a0", " ").trimEnd());
  }

  /** When this document came to be; another one after a reload. */
  async born() {
    return this.page.evaluate(() => performance.timeOrigin);
  }

  async breadcrumb() {
    return (await this.page.locator(".breadcrumb li").allTextContents()).join(" › ");
  }

  /** Waits until a row in view matches. */
  async shows(pattern, limit) {
    return this.until(`the terminal shows ${pattern}`, (rows) => rows.some((row) => pattern.test(row)), limit);
  }

  /** Waits until the last row that is not empty is a prompt. */
  async atPrompt(limit) {
    return this.until("a prompt", (rows) => PROMPT.test(rows.findLast((row) => row !== "") ?? ""), limit);
  }

  async until(what, test, limit = 10_000) {
    const describe = async () => (await this.rows()).filter((row) => row !== "").slice(-12).join("\n");
    return until(what, async () => test(await this.rows()), { limit, describe });
  }

  /** Types as a person does who clicked into the terminal. */
  async type(text) {
    await this.page.locator(".xterm-screen").click();
    await this.page.keyboard.type(text);
    await this.page.keyboard.press("Enter");
  }

  /** Hands over text as an input method does: finished characters, no single keys. */
  async compose(text) {
    await this.page.locator(".xterm-screen").click();
    await this.page.keyboard.insertText(text);
    await this.page.keyboard.press("Enter");
  }

  /**
   * Where a character stands that each of these rows has once, in pixels from the left of the page.
   * Rows are found by their whole text.
   */
  async place(character, rows) {
    return this.page.locator(".xterm-rows > div").evaluateAll(
      (all, { character, rows }) =>
        rows.map((wanted) => {
          const row = all.find((it) => it.textContent.replaceAll("\u00a0", " ").trimEnd() === wanted);
          if (row === undefined) return undefined;
          const walker = document.createTreeWalker(row, NodeFilter.SHOW_TEXT);
          for (let text = walker.nextNode(); text !== null; text = walker.nextNode()) {
            const at = text.data.indexOf(character);
            if (at < 0) continue;
            const range = document.createRange();
            range.setStart(text, at);
            range.setEnd(text, at + character.length);
            return range.getBoundingClientRect().left;
          }
          return undefined;
        }),
      { character, rows },
    );
  }
}
