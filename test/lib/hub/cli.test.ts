// The commands pull and models, in processes of their own: who is asked, what goes to stdout, exit codes, an interrupt, two at
// once, and one that was killed.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { namesIn, place } from './hub.js';
import { COMMIT, sendPart, sha256Of } from './server.js';

const cli = fileURLToPath(new URL('../../../dist/cli/index.js', import.meta.url));
const FOLDER = 'models--h94--IP-Adapter';
const FILE = 'models/ip-adapter-plus_sd15.safetensors';
const bytes = randomBytes(400_000);
const adapters = { files: { [FILE]: bytes } };

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const started = (...args: string[]): { readonly child: ChildProcess; readonly ended: Promise<Ended> } => {
  const child = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<Ended>((done) => {
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (text: Buffer) => {
      stdout += text;
    });
    child.stderr.on('data', (text: Buffer) => {
      stderr += text;
    });
    child.on('close', (code) => done({ code, stdout, stderr }));
  });
  return { child, ended };
};
const run = (...args: string[]): Promise<Ended> => started(...args).ended;

t.test('pull wants a yes, then fetches; the path goes to stdout', async (test) => {
  const { hub, cache } = await place(test);
  hub.repositories.set('h94/IP-Adapter', adapters);
  const refused = await run('pull', 'plus-sd15');
  test.match(refused, { code: 2, stdout: '', stderr: /OPTION_CONFLICT.*\n.*npx node-ip-adapter pull plus-sd15 --yes/ });
  test.match(refused.stderr, /size: 400 kB[\s\S]*licence: Apache-2\.0/, 'what must be confirmed is said');
  test.equal(hub.fetched.length, 0);
  const path = join(cache, FOLDER, 'snapshots', COMMIT, FILE);
  test.match(await run('pull', 'plus-sd15', '--yes'), {
    code: 0,
    stdout: `${path}\n`,
    stderr: /fetching: 100 % of 400 kB/,
  });
  test.ok(readFileSync(path).equals(bytes));
  const again = await run('pull', 'plus-sd15', '--json');
  test.match(again, { code: 0, stderr: '' }, 'what is there wants no yes');
  test.same(JSON.parse(again.stdout), { name: 'plus-sd15', path });
});

t.test('errors have their exit codes', async (test) => {
  const { hub } = await place(test);
  test.match(await run('pull', 'nobody/nothing', '--yes'), { code: 1, stdout: '', stderr: /^MODEL_NOT_FOUND/ });
  test.match(await run('pull', 'plus-sd51', '--yes'), { code: 2, stderr: /Did you mean plus-sd15/ });
  test.match(await run('generate', '--model', 'sd15', '--prompt', 'x'), { code: 1, stderr: /pull sd15/ });
  test.match(await run('models', 'drop'), { code: 2, stderr: /knows list/ });
  hub.close();
});

t.test('models', async (test) => {
  const { hub } = await place(test);
  test.match(await run('models'), { code: 0, stdout: '', stderr: /nothing was fetched yet/ });
  test.match(await run('models', 'list', '--all'), {
    code: 0,
    stdout: /^faceid-plusv2-sd15 .*157 MB.*non-commercial/m,
  });
  test.ok((JSON.parse((await run('models', '--all', '--json')).stdout) as unknown[]).length >= 25);
  test.equal(hub.asked.length, 0);
});

/** Sends the half and waits. */
const half = (request: Parameters<typeof sendPart>[0], response: Parameters<typeof sendPart>[1]): void => {
  if (request.headers.range) {
    sendPart(request, response, bytes);
    return;
  }
  response.writeHead(200, { 'content-length': bytes.length });
  response.write(bytes.subarray(0, bytes.length / 2));
};

const partSize = (cache: string): number => {
  const [name] = namesIn(FOLDER, 'blobs');
  return name === undefined ? 0 : readFileSync(join(cache, FOLDER, 'blobs', name)).length;
};
const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((done) => setTimeout(done, 20));
};

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGKILL', null],
] as const)
  t.test(`${signal} leaves what has come, and the next one goes on`, async (test) => {
    const { hub, cache } = await place(test);
    hub.repositories.set('h94/IP-Adapter', adapters);
    hub.faults = [{ match: /plus_sd15.*signature/, times: 1, act: half }];
    const { child, ended } = started('pull', 'plus-sd15', '--yes');
    await until(() => partSize(cache) === bytes.length / 2);
    child.kill(signal);
    test.equal((await ended).code, code);
    test.same(namesIn(FOLDER, 'snapshots'), [], 'nothing under a final name');
    test.match(await run('pull', 'plus-sd15', '--yes'), { code: 0 });
    test.equal(hub.fetched.at(-1)!.range, `bytes=${bytes.length / 2}-`);
    test.same(namesIn(FOLDER, 'blobs'), [sha256Of(bytes)]);
    test.same(namesIn('.locks', FOLDER), []);
  });

t.test('two processes at once fetch one file once', async (test) => {
  const { hub, cache } = await place(test);
  hub.repositories.set('h94/IP-Adapter', adapters);
  const slow = (request: Parameters<typeof sendPart>[0], response: Parameters<typeof sendPart>[1]): void => {
    setTimeout(() => sendPart(request, response, bytes), 1500);
  };
  hub.faults = [{ match: /plus_sd15.*signature/, times: 1, act: slow }];
  const both = await Promise.all([run('pull', 'plus-sd15', '--yes'), run('pull', 'plus-sd15', '--yes')]);
  test.match(both, [{ code: 0 }, { code: 0 }]);
  test.equal(hub.fetched.length, 1);
  test.ok(readFileSync(join(cache, FOLDER, 'blobs', sha256Of(bytes))).equals(bytes));
});
