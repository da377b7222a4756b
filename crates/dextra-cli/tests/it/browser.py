"""Opens pages in headless Chromium without a network and says, as JSON, what is wrong with them.

Arguments: path of the browser, then pages.
"""

import json
import pathlib
import sys

from playwright.sync_api import sync_playwright

LOOK = """async () => {
  const luminance = text => {
    const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = e => {
    for (; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      if (color !== 'rgba(0, 0, 0, 0)' && color !== 'transparent') return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const texts = [...document.querySelectorAll('h1,h2,h3,p,td,th,figcaption')]
    .filter(e => e.textContent.trim() && e.getBoundingClientRect().height > 0);
  const contrast = texts.map(e => {
    const [a, b] = [getComputedStyle(e).color, behind(e)].map(luminance);
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  });
  const plots = [...document.querySelectorAll('.plot > svg')].map(svg => {
    const box = svg.getBoundingClientRect();
    const lines = [...svg.querySelectorAll('path.line')].filter(p => {
      const b = p.getBoundingClientRect();
      return b.width > 20 && getComputedStyle(p).stroke !== 'none';
    });
    return { width: box.width, height: box.height, lines: lines.length };
  });
  const videos = [];
  for (const video of document.querySelectorAll('video')) {
    video.closest('details').open = true;
    if (video.readyState < 2) await new Promise(done => video.addEventListener('loadeddata', done, { once: true }));
    const seeked = new Promise(done => video.addEventListener('seeked', done, { once: true }));
    video.currentTime = video.duration / 2;
    await seeked;
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
    let [low, high] = [255, 0];
    for (let i = 0; i < pixels.length; i += 4) [low, high] = [Math.min(low, pixels[i]), Math.max(high, pixels[i])];
    videos.push({ width: canvas.width, height: canvas.height, seconds: video.duration, low, high });
  }
  const images = [...document.images].map(i => i.naturalWidth);
  return {
    plots, images, videos, contrast: Math.min(...contrast), texts: texts.length,
    small: Math.min(...texts.map(e => parseFloat(getComputedStyle(e).fontSize))),
    scroll: document.documentElement.scrollWidth,
    background: luminance(behind(document.body)),
  };
}"""


def main(browser_path, pages):
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for page_path in pages:
            for scheme in ("light", "dark"):
                for width in (360, 1200):
                    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
                    context.set_offline(True)
                    page = context.new_page()
                    console, requests = [], []
                    page.on("console", lambda m, to=console: to.append(m.text))
                    page.on("pageerror", lambda e, to=console: to.append(str(e)))
                    page.on("request", lambda r, to=requests: to.append(r.url))
                    page.goto(pathlib.Path(page_path).resolve().as_uri())
                    look = page.evaluate(LOOK)
                    away = [url for url in requests if not url.startswith(("file:", "data:"))]
                    found.append({"page": page_path, "scheme": scheme, "width": width, "console": console,
                                  "away": away, **look})
                    context.close()
        browser.close()
    json.dump(found, sys.stdout)


main(sys.argv[1], sys.argv[2:])
