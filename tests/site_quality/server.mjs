// Serves a folder on a free port of this machine, compressed as a host of static files does it.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { gzipSync } from "node:zlib";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".txt": "text/plain; charset=utf-8",
  ".xml": "application/xml",
  ".woff2": "font/woff2",
};
const COMPRESSED = new Set([".html", ".css", ".js", ".json", ".svg", ".txt", ".xml"]);

export async function serving(folder) {
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://host").pathname);
    const name = normalize(path.endsWith("/") ? `${path}index.html` : path);
    try {
      const data = await readFile(join(folder, name));
      const type = extname(name);
      const headers = {
        "Content-Type": TYPES[type] ?? "application/octet-stream",
        "Cache-Control": "max-age=600",
      };
      if (COMPRESSED.has(type)) {
        response.writeHead(200, { ...headers, "Content-Encoding": "gzip" });
        response.end(gzipSync(data));
      } else {
        response.writeHead(200, headers);
        response.end(data);
      }
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return { address: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}
