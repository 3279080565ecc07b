// Serves what `next build` made, and keeps what the route handler answers.
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import next from 'next';

const app = next({ dev: false, dir: import.meta.dirname });
await app.prepare();
const server = createServer(app.getRequestHandler()).listen(0, '127.0.0.1');
await new Promise((resolve) => server.once('listening', resolve));
const answer = await fetch(`http://127.0.0.1:${server.address().port}/draw`);
if (!answer.ok) throw new Error(`status ${answer.status}`);
await writeFile('drawn.png', Buffer.from(await answer.arrayBuffer()));
process.exit(); // the server of Next.js has no end of its own
