// Asks when something has changed: after a pause while one types, at once by a button. Of several questions under way
// only the newest counts; the others are given up, and an answer that comes late is dropped.

const PAUSE = 350; // milliseconds without a key before the question is sent

export class Asking {
  /** `work(signal)` asks and shows; what it throws goes to `failed`. `busy(yes)` is told when it starts and ends. */
  constructor(work, { failed, busy }) {
    Object.assign(this, { work, failed, busy });
    this.controller = null;
  }

  soon() {
    clearTimeout(this.timer);
    if (this.closed) return;
    this.timer = setTimeout(() => this.now(), PAUSE);
  }

  async now() {
    this.stop();
    if (this.closed) return;
    const controller = (this.controller = new AbortController());
    this.busy(true);
    try {
      await this.work(controller.signal);
    } catch (error) {
      if (this.controller === controller && error.name !== "AbortError") this.failed(error);
    } finally {
      if (this.controller === controller) {
        this.controller = null;
        this.busy(false);
      }
    }
  }

  /** Give up what is under way, and what was to come. */
  stop() {
    clearTimeout(this.timer);
    if (!this.controller) return;
    this.controller.abort();
    this.controller = null;
    this.busy(false);
  }

  /** The same, for good: a picture that is read only now asks nothing any more. */
  close() {
    this.stop();
    this.closed = true;
  }
}
