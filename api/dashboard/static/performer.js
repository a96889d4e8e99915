// Runs the steps of the buttons, one at a time, and shows their results.

/** The pause after a step, in ms: a double click must not hit the button that has just appeared under the pointer. */
const GUARD_MS = 500;

/**
 * Make a function that runs a step: it shows the step's result or error in the notice, then calls `afterwards`. In the
 * meantime every button with `data-step` is off. With `alone: false`, as for a download or after a dialog, it runs beside
 * other steps.
 *
 * A step that resolves to null has left the page.
 */
export function performer(notice, afterwards) {
  let busy = false;
  const become = (now) => {
    busy = now;
    // Not `disabled`, which would move the focus away.
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

  const beside = (step) => step().then((said) => said && notice.say(said), notice.fail);
  return (step, { alone = true } = {}) => (alone ? perform(step) : beside(step));
}
