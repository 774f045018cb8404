"""What people do to a shop with a browser: Chromium, driven over its debugging pipe.

The shop is at the address in SHOP.
"""

import http.server
import json
import os
import subprocess
import tempfile
import threading
from typing import Any, Self

SHOP = os.environ["SHOP"]
CHROMIUM = (
    "chromium",
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)


class Browser:
    """One page of one browser with an empty profile."""

    def __init__(self) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        commands_out, commands_in = os.pipe()
        events_out, events_in = os.pipe()
        # Chromium reads its commands from file 3 and writes to file 4.
        self._process = subprocess.Popen(
            ["sh", "-c", f'exec "$@" 3<&{commands_out} 4>&{events_in}', "sh", *CHROMIUM, f"--user-data-dir={self._profile.name}"],
            pass_fds=(commands_out, events_in),
            stderr=subprocess.DEVNULL,
        )
        os.close(commands_out)
        os.close(events_in)
        self._commands = os.fdopen(commands_in, "wb", buffering=0)
        self._events = os.fdopen(events_out, "rb")
        self._last_id = 0
        self._session: str | None = None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._call("Page.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session = None
        self._call("Browser.close")
        self._process.wait()
        self._profile.cleanup()

    def _read(self) -> dict[str, Any]:
        message = bytearray()
        while (byte := self._events.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("the browser is gone")
            message += byte
        return json.loads(message)

    def _call(self, method: str, **parameters: object) -> dict[str, Any]:
        self._last_id += 1
        command = {"id": self._last_id, "method": method, "params": parameters, **({"sessionId": self._session} if self._session else {})}
        self._commands.write(json.dumps(command).encode() + b"\0")
        while (message := self._read()).get("id") != self._last_id:
            pass
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']}")
        return message["result"]

    def go(self, url: str) -> None:
        self._call("Page.navigate", url=url)
        self.loaded()

    def reload(self) -> None:
        """As the key F5 does: what is in the cache is asked for again, if it has changed."""
        self._call("Page.reload")
        self.loaded()

    def loaded(self) -> None:
        """Wait until the next page is there."""
        while self._read().get("method") != "Page.loadEventFired":
            pass

    def run(self, script: str) -> None:
        """Run SCRIPT in the page, which may await; `until(test)` comes back when the test is true."""
        until = "const until = async (test) => { while (!test()) await new Promise((go) => setTimeout(go, 20)); };"
        expression = f"(async () => {{ {until} {script} }})()"
        result = self._call("Runtime.evaluate", expression=expression, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{script}: {result['exceptionDetails']}")


def buy_something(browser: Browser) -> None:
    browser.go(SHOP)
    browser.run("""
        const text = (id) => document.getElementById(id).textContent;
        const logIn = (name, password) => {
            const form = document.getElementById("login");
            form.username.value = name;
            form.password.value = password;
            form.requestSubmit();
        };
        const entry = (item) => document.querySelector(`[data-item='${item}']`);
        await until(() => text("cart") && entry(3));
        document.getElementById("search").tag.value = "living";
        document.getElementById("search").requestSubmit();
        await until(() => entry(11));
        entry(11).click();
        await until(() => text("cart").includes("Desk lamp"));
        entry(13).click();
        await until(() => text("cart").includes("Wool blanket"));
        logIn("edsger", "forgotten");
        await until(() => text("message").startsWith("401"));
        logIn("edsger", "edsger-password");
        await until(() => text("account") === "edsger");
        document.getElementById("order").click();
        await until(() => text("cart") === "0.00 €");
    """)


def look_closer(browser: Browser) -> None:
    browser.go(SHOP)
    browser.run("""
        const form = document.getElementById("search");
        await until(() => document.querySelector("[data-item]"));
        form.tag.value = "travel";
        form.search.value = "Tea für";
        form.requestSubmit();
        await until(() => !document.querySelector("[data-item]"));
        let events = 0;
        const source = new EventSource("/stock/events?item=14&count=2");
        source.addEventListener("stock", () => { if (++events === 2) source.close(); });
        await until(() => events === 2);
        const answer = await fetch("/login", { method: "POST", body: new URLSearchParams({ username: "ada", password: "ada-password" }) });
        const token = (await answer.json()).access_token;
        const picture = new FormData();
        picture.append("caption", "Umbrella, \\"open\\"");
        const bytes = new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10, 0, 255]);
        picture.append("picture", new File([bytes], "Schirm groß.png", { type: "image/png" }));
        await fetch("/items/22/picture", { method: "POST", body: picture, headers: { Authorization: `Bearer ${token}` } });
    """)
    browser.go(f"{SHOP}/items/4/picture")


def read_about_items(browser: Browser) -> None:
    """Pages of items and all that stands on them, one of them twice: the second time the browser asks only for what has changed."""
    seen = 0
    for item in (3, 3, 11, 1):
        if item == seen:
            browser.reload()
        else:
            browser.go(f"{SHOP}/static/item.html?id={item}")
        seen = item
        browser.run("""
            const picture = document.getElementById("picture");
            await until(() => document.getElementById("reviews").childElementCount && document.getElementById("stock").textContent);
            await until(() => picture.complete);
            const more = document.getElementById("more");
            while (!more.hidden) {
                const count = document.getElementById("reviews").childElementCount;
                more.click();
                await until(() => document.getElementById("reviews").childElementCount > count);
            }
            const manual = document.getElementById("manual").href;
            await fetch(manual, { cache: "no-store", headers: { Range: "bytes=0-99" } });
        """)


def chat(browser: Browser) -> None:
    browser.go(SHOP)
    browser.run("document.querySelector('nav a').click();")
    browser.loaded()
    browser.run("""
        const form = document.getElementById("say");
        const said = document.getElementById("said");
        await until(() => said.childElementCount === 1);
        for (const [number, text] of ["hello", "/who", "schöne Grüße", "<b>bold</b>", "/quit"].entries()) {
            form.text.value = text;
            form.requestSubmit();
            await until(() => said.childElementCount === number + 2);
        }
    """)
    browser.go(f"{SHOP}/static/chat.html?room=help&name=")
    browser.run("await until(() => document.getElementById('said').textContent.startsWith('closed: 1006'));")


def write_to_the_shop(browser: Browser) -> None:
    """Forms without a script, a login window, and an address."""
    browser.go(f"{SHOP}/contact")
    browser.run("""
        const form = document.querySelector("form");
        form.name.value = "Tony";
        form.message.value = "Is null & void?\\nReally: 100 %";
        form.requestSubmit();
    """)
    browser.loaded()
    browser.run("""
        await until(() => document.getElementById("message").textContent.startsWith("Thank you"));
        await fetch("/contact", { method: "POST", body: new URLSearchParams({ token: "x.y", name: "Tony", message: "forged" }) });
        await fetch("/admin", { credentials: "omit" });
        await fetch("/admin", { headers: { Authorization: `Basic ${btoa("margaret:margaret-password")}` } });
        const login = new URLSearchParams({ username: "tony", password: "tony-password" });
        const answer = await fetch("/login", { method: "POST", body: login });
        const Authorization = `Bearer ${(await answer.json()).access_token}`;
        const send = (method, path, body, fields) => fetch(path, {
            method, body: JSON.stringify(body), headers: { Authorization, "Content-Type": "application/json", ...fields },
        });
        const put = await send("PUT", "/me/address", { street: "Gate 1", city: "Oxford", country: "GB" });
        const seen = { "If-Match": put.headers.get("ETag"), "Content-Type": "application/json-patch+json" };
        await send("PATCH", "/me/address", [{ op: "replace", path: "/city", value: "Cambridge" }], seen);
        await send("PATCH", "/me/address", [{ op: "replace", path: "/city", value: "London" }], seen);
        await send("DELETE", "/me/address");
        await send("POST", "/items/22/reviews", { stars: 4, text: "Sturdy" });
        await fetch("/items/22/reviews");
        await fetch("/search?q=sturdy");
        await send("DELETE", "/items/22/reviews/tony");
        await send("POST", "/cart/lines", { item_id: 22, quantity: 1 });
        const order = (await send("POST", "/orders")).headers.get("Location");
        const letter = (await send("POST", `${order}/receipt`)).headers.get("Location");
        await new Promise((go) => setTimeout(go, 1000));
        await fetch(letter, { headers: { Authorization } });
        await send("DELETE", "/cart");
    """)


def come_from_elsewhere(browser: Browser) -> None:
    """A page of another origin: one that the shop allows, so that the browser asks first and then sends."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>elsewhere</title>")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("localhost", 3000), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser.go("http://localhost:3000/")
        browser.run(f"""
            const body = JSON.stringify({{ item_id: 13 }});
            const headers = {{ "Content-Type": "application/json" }};
            await fetch("{SHOP}/cart/lines", {{ method: "POST", credentials: "include", headers, body }});
            await fetch("{SHOP}/items?tag=living&limit=1");
            await fetch("{SHOP}/cart", {{ method: "PUT" }}).catch(() => null);
        """)
        server.shutdown()


for tour in (buy_something, look_closer, read_about_items, chat, write_to_the_shop, come_from_elsewhere):
    with Browser() as browser:
        tour(browser)
