/** A person opens the session that stays, types, and a second browser looks on. */

import { ensure, ensureEqual, until } from "../support/checks.mjs";
import { TerminalPage } from "../support/terminal.mjs";
import { commonOutput } from "../support/watch.mjs";

export async function openFromList(list) {
  await list.bringToFront();
  await list.getByRole("region", { name: "Open sessions" }).getByRole("link").click();
  const terminal = new TerminalPage(list);
  await terminal.atPrompt();
  return terminal;
}

export async function typeIntoIt({ checks, terminal, second, watchOf, picture }) {
  await checks.run("a typed line runs in the pod and its output is seen", async () => {
    await terminal.type("echo seen-$((6*7))");
    await terminal.shows(/^seen-42$/);
    await picture(terminal.page, "4-after-typing");
  });
  await checks.run("a second browser sees the same bytes, whoever types", async () => {
    await terminal.type("echo from-first-$((1+1)); seq 500");
    await second.shows(/^500$/);
    await second.type("echo from-second-$((2+2))");
    for (const it of [terminal, second]) await it.shows(/^from-second-4$/);
    await Promise.all([terminal.atPrompt(), second.atPrompt()]);
    const [left, right] = commonOutput(watchOf(terminal.page).traffic, watchOf(second.page).traffic);
    for (const mark of ["from-first-2\r\n", "\r\n500\r\n", "from-second-4\r\n"]) ensure(left.includes(mark), `${JSON.stringify(mark)} is not among the common output`);
    ensure(left.equals(right), "the bytes differ");
    ensureEqual(await second.rows(), await terminal.rows(), "rows in view");
    return `${left.length} bytes`;
  });
  await checks.run("a page loaded anew shows the same screen", async () => {
    const before = await terminal.rows();
    await terminal.page.reload();
    await terminal.until("the rows of before", (rows) => JSON.stringify(rows) === JSON.stringify(before));
  });
  await checks.run("with two pages open a terminal query is answered exactly once", async () => {
    await terminal.type("printf '\\033[5n'; read -rs -t 3 -d n first; read -rs -t 1 -d n second; echo \"answers ${#first} ${#second}\"");
    await terminal.shows(/^answers 3 0$/);
    await terminal.atPrompt();
  });
  await checks.run("markup and escape sequences in output stay text in a terminal", async () => {
    await terminal.type(`printf '<img src=x onerror="document.title=1">\\033]52;c;aGk=\\007\\033]0;owned\\007 harm\\154ess\\n'`);
    await terminal.shows(/^<img src=x onerror="document.title=1"> harmless$/);
    ensureEqual(await terminal.page.locator(".terminal-mount img").count(), 0, "images made from output");
    ensure(/ · Portcullis$/.test(await terminal.page.title()), "the output changed the title");
  });
}

export async function lineUp({ checks, terminal, picture }) {
  const columns = ["宽字符 |", "日本語 |", "😀😀😀 |", "Ｗｉｄ |", "한국말 |", "abcdef |"];
  await checks.run("Chinese, Japanese, Korean, emoji and wide letters take two columns each and line up", async () => {
    await terminal.type("clear");
    await terminal.compose(`printf '%s |\\n' ${columns.map((it) => it.slice(0, -2)).join(" ")}`);
    await terminal.shows(/^abcdef \|$/);
    await terminal.atPrompt();
    const places = await terminal.place("|", columns);
    ensure(places.every((it) => it !== undefined), `rows are missing: ${JSON.stringify(places)}`);
    const spread = Math.max(...places) - Math.min(...places);
    await picture(terminal.page, "5-wide-characters");
    ensure(spread < 0.75, `the bars stand ${spread} px apart: ${JSON.stringify(places)}`);
    return `${spread.toFixed(2)} px apart`;
  });
  await checks.run("erasing a wide character takes back both of its columns", async () => {
    await terminal.page.keyboard.insertText("echo 宽字");
    await terminal.shows(/\$ echo 宽字$/);
    await terminal.page.keyboard.press("Backspace");
    await terminal.page.keyboard.type("ok");
    await terminal.shows(/\$ echo 宽ok$/);
    await terminal.page.keyboard.press("Enter");
    await terminal.shows(/^宽ok$/);
  });
}

export async function followTheLevels({ checks, terminal }) {
  await checks.run("the place follows when a person leaves the pod", async () => {
    await terminal.atPrompt();
    await terminal.type("exit");
    await until("the place outside", async () => (await terminal.breadcrumb()) === "bastion › master-a", { describe: () => terminal.breadcrumb() });
    await terminal.atPrompt();
  });
}

/** How often a flood is stopped. */
const FLOODS = 20;
/** How long the rest of a flood may take to be shown, in milliseconds. */
const FLOOD_LIMIT = 40_000;

export async function stopFloods({ checks, terminal, second, watchOf }) {
  await checks.run(`Control C stops a flood of output, ${FLOODS} times`, async () => {
    let slowest = 0;
    for (let round = 1; round <= FLOODS; round += 1) {
      await terminal.type("yes");
      // The last rows: what an earlier round left further up proves nothing.
      await terminal.until(`flood ${round}`, (rows) => rows.slice(5, -1).every((row) => row === "y"));
      const pressed = performance.now();
      await terminal.page.keyboard.press("Control+C");
      // What is on its way already is shown first, which takes seconds on a busy machine.
      await terminal.atPrompt(FLOOD_LIMIT);
      slowest = Math.max(slowest, performance.now() - pressed);
      await terminal.type(`echo alive-$((100+${round}))`);
      await terminal.shows(new RegExp(`^alive-${100 + round}$`));
      await terminal.atPrompt();
    }
    await second.shows(new RegExp(`^alive-${100 + FLOODS}$`));
    for (const it of [terminal, second]) ensureEqual(watchOf(it.page).traffic.gaps, 0, "gaps in the output");
    return `slowest ${Math.round(slowest)} ms from the key to the prompt`;
  });
}
