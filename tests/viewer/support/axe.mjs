/** What axe-core finds wrong with a page's accessibility. */

import axe from "axe-core";

/** One line for each breach of WCAG 2.1 A and AA. */
export async function breaches(page) {
  // Not added as a script: the page's policy would rightly refuse it.
  await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] });
    return violations.map((it) => `${it.id}: ${it.nodes.map((node) => `${node.target.join(" ")} (${node.failureSummary})`).join("; ")}`);
  });
  return found;
}
