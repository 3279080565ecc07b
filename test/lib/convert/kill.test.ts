// A process that writes a model is killed at any moment, a hundred times: the target is the old file or the new one, whole.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { convert } from '../../../lib/index.js';
import { modelFolder, scratch } from '../made/models.js';

t.setTimeout(600_000); // a hundred processes; on a busy machine a second each

const folder = scratch();
const model = await modelFolder(folder, 'sd15');
const child = fileURLToPath(new URL('kill.child.mjs', import.meta.url));
const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

t.test('the target of a killed conversion is whole', async (test) => {
  const target = join(folder, 'target.safetensors');
  await convert(model, target, { dtype: 'f32' });
  const old = digest(target);
  const before = join(folder, 'before');
  copyFileSync(target, before);
  await convert(model, target, { overwrite: true });
  const fresh = digest(target);
  const seen = new Map<string, number>();
  let unfinished = 0;
  const runs = 100;
  let whole = 50; // ms that a conversion takes: found by whether it had ended, so that kills fall around its end
  for (let i = 0; i < runs; ++i) {
    if (i % 2 === 0) copyFileSync(before, target);
    const running = spawn(process.execPath, [child, model, target], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(running.stdout, 'data');
    await sleep((((i * 37) % 90) / 60) * whole);
    running.kill('SIGKILL');
    await once(running, 'close');
    const found = digest(target);
    seen.set(found, (seen.get(found) ?? 0) + 1);
    if (i % 2 === 0) whole *= found === old ? 1.2 : 0.85; // an even run began with the old file
    unfinished += readdirSync(folder).filter((name) => name.startsWith('target.safetensors.part-')).length;
  }
  test.same(
    [...seen.keys()].filter((found) => found !== old && found !== fresh),
    [],
    'nothing but the old and the new file',
  );
  test.ok(seen.get(old)! > 0 && seen.get(fresh)! > 0, 'both were seen');
  test.ok(unfinished > 0, 'some were killed while they wrote');
  await convert(model, target, { overwrite: true });
  test.same(
    readdirSync(folder).filter((name) => name.startsWith('target.safetensors.')),
    [],
    'a later conversion removes what they left',
  );
});
