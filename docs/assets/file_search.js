// Browsers start no worker from a page that was opened as a file. There the search runs in a hidden frame instead; the
// theme looks for this name and then loads its index from search/search_index.js (see docs/site_hooks.py).
if (location.protocol === "file:") {
  window.Worker = window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super();
      this.waiting = [];
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      const begin = () => {
        document.body.append(this.frame);
        const inside = this.frame.contentWindow;
        const load = (source) =>
          new Promise((done, failed) => {
            const script = inside.document.createElement("script");
            script.src = source;
            script.onload = done;
            script.onerror = failed;
            inside.document.body.append(script);
          });
        inside.importScripts = (...sources) => sources.reduce((all, source) => all.then(() => load(source)), Promise.resolve());
        inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
        load(url).then(() => {
          this.tell = (data) => inside.dispatchEvent(new inside.MessageEvent("message", { data }));
          this.waiting.forEach(this.tell);
        });
      };
      if (document.body) begin();
      else addEventListener("DOMContentLoaded", begin);
    }

    postMessage(data) {
      if (this.tell) this.tell(data);
      else this.waiting.push(data);
    }

    terminate() {
      this.frame.remove();
    }
  };
}
