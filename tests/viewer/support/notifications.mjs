/** What a page would show on the desktop of a person who looks elsewhere. */

/** Keeps it for every page of the context that is opened afterwards. */
export async function watchNotifications(context, origin) {
  await context.addInitScript(keepNotifications);
  await context.grantPermissions(["notifications"], { origin });
}

export const shownNotifications = (page) => page.evaluate(() => window.shownNotifications);

/** Runs in the page. */
function keepNotifications() {
  window.shownNotifications = [];
  document.hasFocus = () => false;
  window.Notification = class {
    static permission = "granted";
    constructor(title, options) {
      window.shownNotifications.push(`${title} | ${options.body}`);
    }
    close() {}
  };
}
