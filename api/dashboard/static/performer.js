// Runs what a button asks for, one step at a time, and shows what came of it.

/** After a step, in ms: the second half of a double click would hit the button that has just appeared under it. */
const GUARD_MS = 500;

/**
 * A function that runs a step: shows in the notice what it answers or why it failed, then calls `afterwards`. Meanwhile
 * every button with `data-step` is off. With `alone: false` it is no step, such as a download, and stops no other.
 *
 * A step that gives null has left the page.
 */
export function performer(notice, afterwards) {
  let busy = false;
  const become = (now) => {
    busy = now;
    // Not `disabled`: that would take the focus away.
    for (const button of document.querySelectorAll("[data-step]")) button.ariaDisabled = String(now);
  };

  async function perform(step) {
    if (busy) return;
    become(true);
    try {
      const said = await step();
      if (said === null) return;
      notice.say(said);
      await afterwards();
    } catch (error) {
      notice.fail(error);
    } finally {
      setTimeout(become, GUARD_MS, false);
    }
  }

  return (step, { alone = true } = {}) => (alone ? perform(step) : step().catch(notice.fail));
}
