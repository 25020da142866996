// Drives one browser for one story-teller: a JSON object a line on standard input, one a line back
// on standard output. `tests/src/browser.rs` is the other side.
//
// Everything has a deadline, and the end of standard input is the end of the browser, so that no
// story leaves one behind.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { createInterface } from "node:readline";
import puppeteer from "puppeteer-core";

const LOG_LINES = 2000;

// Fake camera and microphone without a question; loopback candidates, because a machine without a
// network has no other; no throttling of the tabs that are not in front.
const chromium = ({ secure, fps = 15 }) => ({
  browser: "chrome",
  executablePath: "/usr/bin/chromium",
  pipe: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--use-fake-ui-for-media-stream",
    `--use-fake-device-for-media-stream=fps=${fps}`,
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    ...(secure ? [`--unsafely-treat-insecure-origin-as-secure=${secure}`] : []),
  ],
});

const firefox = ({ secure }) => ({
  browser: "firefox",
  executablePath: "/usr/bin/firefox-esr",
  extraPrefsFirefox: {
    "media.navigator.streams.fake": true,
    "media.navigator.permission.disabled": true,
    "media.autoplay.default": 0,
    "media.peerconnection.ice.loopback": true,
    "media.peerconnection.ice.obfuscate_host_addresses": false,
    "dom.min_background_timeout_value": 4,
    "dom.min_background_timeout_value_without_budget_throttling": 4,
    "dom.timeout.enable_budget_timer_throttling": false,
    "network.dns.disablePrefetch": true,
    ...(secure ? { "dom.securecontext.allowlist": new URL(secure).hostname } : {}),
  },
});

// A sound card that nobody hears. On a machine without one Firefox's AudioContexts never run: its pages are
// silent and record silence.
async function soundCard() {
  const home = mkdtempSync(join(tmpdir(), "sound-"));
  process.on("exit", () => rmSync(home, { recursive: true, force: true }));
  const socket = join(home, "socket");
  const card = spawn("pulseaudio", [
    "-n",
    "--daemonize=no",
    "--exit-idle-time=-1",
    "--use-pid-file=no",
    "--load=module-null-sink",
    `--load=module-native-protocol-unix auth-anonymous=1 socket=${socket}`,
  ], { stdio: "ignore", env: { ...process.env, HOME: home, XDG_RUNTIME_DIR: home } });
  process.on("exit", () => card.kill());
  const gone = new Promise((_, reject) => {
    card.on("error", reject);
    card.on("exit", (code) => reject(new Error(`pulseaudio ended with ${code}`)));
  });
  gone.catch(() => {});
  const there = async () => {
    while (!existsSync(socket)) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  await Promise.race([there(), gone]);
  return { ...process.env, PULSE_SERVER: `unix:${socket}` };
}

let browser;
const pages = new Map();
let lastPage = 0;

// Tabs come and go one after the other: Firefox 153 loses one that is made while another closes.
let doors = Promise.resolve();
const inTurn = (work) => {
  const done = doors.then(work);
  doors = done.catch(() => {});
  return done;
};

const does = {
  async launch({ kind, ...how }) {
    const kinds = { chromium, firefox };
    browser = await puppeteer.launch({
      ...kinds[kind](how),
      ...(kind === "firefox" ? { env: await soundCard() } : {}),
      headless: true,
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
      timeout: 60_000,
      // commands have deadlines of their own; a first load over 16 kbit/s takes longer than a minute
      protocolTimeout: 180_000,
    });
    return { pid: browser.process()?.pid ?? null, version: await browser.version() };
  },

  // `beside`: a page whose storage the new one shares, as two tabs of one person do.
  async open({ url, beside }) {
    const { context, page } = await inTurn(async () => {
      const context = beside === undefined
        ? await browser.createBrowserContext()
        : pages.get(beside).context;
      return { context, page: await context.newPage() };
    });
    const log = [];
    const note = (line) => log.length < LOG_LINES && log.push(line);
    page.on("console", (message) => note(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => note(`uncaught: ${error?.message ?? error}`));
    const id = ++lastPage;
    pages.set(id, { page, context, log });
    await page.goto(url, { waitUntil: "load", timeout: 30_000 });
    return { page: id };
  },

  // The body of an async function of `arg`; its value comes back as JSON.
  async eval({ page, code, arg }) {
    const source = `(async (arg) => JSON.stringify(await (async () => {${code}})()) ?? "null")(${JSON.stringify(arg)})`;
    return JSON.parse(await pages.get(page).page.evaluate(source));
  },

  async shot({ page, path }) {
    await pages.get(page).page.screenshot({ path });
    return null;
  },

  async log({ page }) {
    return pages.get(page).log;
  },

  async reload({ page }) {
    await pages.get(page).page.reload({ waitUntil: "load", timeout: 30_000 });
    return null;
  },

  // The tab goes away as when a person closes it.
  async close({ page }) {
    const { page: tab } = pages.get(page);
    pages.delete(page);
    await inTurn(() => tab.close());
    return null;
  },

  // A folder on loopback, for pages that need no relay.
  async serve({ folder }) {
    const types = { ".html": "text/html", ".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm" };
    const server = createServer((request, response) => {
      const path = join(folder, normalize(new URL(request.url, "http://x").pathname));
      if (!path.startsWith(folder) || !existsSync(path)) return response.writeHead(404).end();
      response.writeHead(200, { "content-type": types[extname(path)] ?? "application/octet-stream" });
      response.end(readFileSync(path));
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { port: server.address().port };
  },
};

const late = (milliseconds, what) =>
  new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`${what} took longer than ${milliseconds} ms`)), milliseconds).unref();
  });

const say = (words) => process.stdout.write(`${JSON.stringify(words)}\n`);

const lines = createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const { id, does: what, timeout, ...rest } = JSON.parse(line);
  try {
    say({ id, ok: (await Promise.race([does[what](rest), late(timeout, what)])) ?? null });
  } catch (error) {
    say({ id, error: String(error?.message ?? error) });
  }
});
lines.on("close", async () => {
  const child = browser?.process();
  await Promise.race([browser?.close(), late(3000, "closing").catch(() => {})]).catch(() => {});
  if (child && child.exitCode === null) {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // gone already
    }
  }
  process.exit(0);
});
