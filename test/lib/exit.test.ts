// The process can always end, and importing the package begins nothing.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const run = (
  args: readonly string[],
): Promise<{ code: number | null; signal: string | null; out: string; ended: number }> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [...process.execArgv, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
    let out = '';
    child.stdout.on('data', (part: Buffer) => {
      out += part.toString();
    });
    child.on('close', (code, signal) => resolve({ code, signal, out, ended: Date.now() }));
  });

t.test('L-06: leaving in the middle of a run keeps the exit code, in half a second', async (test) => {
  const script = fileURLToPath(new URL('exit.child.ts', import.meta.url));
  const ways = [
    ['exit', 7, null],
    ['throw', 1, null],
    ['reject', 1, null],
    ['term', null, 'SIGTERM'],
  ] as const;
  for (const [way, code, signal] of ways) {
    const result = await run([script, way]);
    test.match(result, { code, signal }, way);
    const ms = result.ended - Number(result.out);
    test.ok(ms >= 0 && ms <= 500, `${way}: ${ms} ms`);
  }
});

t.test('importing loads no native code', async (test) => {
  const index = new URL('../../lib/index.ts', import.meta.url).href;
  const code = `await import(${JSON.stringify(index)}); process.stdout.write(process.report.getReport().sharedObjects.filter((f) => f.endsWith('.node')).join(' '));`;
  const { out, code: status } = await run(['--input-type=module', '-e', code]);
  test.equal(status, 0);
  test.notMatch(out, /sharp|node_ip_adapter/);
});
