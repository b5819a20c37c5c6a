// A page, a health path, and a WebSocket at /socket that returns each short text message.
"use strict";
const crypto = require("crypto");
const http = require("http");

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455, section 1.3
const TEXT = 0x81;
const CLOSE = 0x88;

const server = http.createServer((request, response) => {
  response.end(request.url === "/health" ? "ok\n" : "Node serves this page\n");
});

server.on("upgrade", (request, socket, head) => {
  const key = request.headers["sec-websocket-key"];
  if (request.url !== "/socket" || !key) {
    socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    return;
  }
  const accept = crypto.createHash("sha1").update(key + GUID).digest("base64");
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  let pending = Buffer.alloc(0);
  const take = (data) => {
    pending = Buffer.concat([pending, data]);
    // A client's frame: two bytes, four of the mask, then up to 125 masked ones.
    while (pending.length >= 2 && pending.length >= 6 + (pending[1] & 0x7f)) {
      const length = pending[1] & 0x7f;
      if (length > 125) return socket.destroy();
      const mask = pending.subarray(2, 6);
      const text = Buffer.from(pending.subarray(6, 6 + length).map((byte, at) => byte ^ mask[at % 4]));
      if (pending[0] === CLOSE) return socket.end(Buffer.from([CLOSE, 0]));
      if (pending[0] === TEXT) socket.write(Buffer.concat([Buffer.from([TEXT, length]), text]));
      pending = pending.subarray(6 + length);
    }
  };
  socket.on("error", () => socket.destroy());
  socket.on("data", take);
  take(head);
});

process.on("SIGTERM", () => process.exit(0));
server.listen(8080, "::");
