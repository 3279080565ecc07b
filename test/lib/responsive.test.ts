// The event loop stays free, events arrive in time, and a run can be left at any moment without a trace.
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import t from 'tap';
import { sha256 } from '../../lib/files/files.js';
import { type JobEvent, Pipeline } from '../../lib/index.js';
import { child, drawn, drawnElsewhere, failure, opened, reference, scene, sketch } from './sketch.js';

const AT_ONCE = 50; // ms from abort to rejection
const LONG = { ...scene, steps: 200 };
const image = reference('person-5-1.png');
const fresh = await drawnElsewhere();

t.test('while generating, the event loop is late by 20 ms at most (p99)', async (test) => {
  const pipe = await opened(test);
  await pipe.addAdapter(sketch.adapters['faceid-plusv2'], { face: sketch.face });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await pipe.generate({ ...scene, steps: 20, count: 4, references: [{ image }] });
  delay.disable();
  const [p50, p99, most] = [delay.percentile(50), delay.percentile(99), delay.max].map((ns) => (ns / 1e6).toFixed(1));
  const line = `p50 ${p50}, p99 ${p99}, max ${most} ms, ${delay.count} samples`;
  test.comment(line);
  test.ok(delay.count > 100 && delay.percentile(99) <= 20e6, line);
});

t.test('while a large file is hashed, the event loop turns once a MiB at least', async (test) => {
  const folder = mkdtempSync(join(tmpdir(), 'ipa-large-'));
  test.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'large.safetensors');
  writeFileSync(file, '');
  truncateSync(file, 256 * 2 ** 20);
  let turns = 0;
  let next = setImmediate(function turn() {
    turns += 1;
    next = setImmediate(turn);
  });
  test.equal(await sha256(file), 'a6d72ac7690f53be6ae46ba88506bd97302a093f7108472bd9efc3cefda06484');
  clearImmediate(next);
  test.ok(turns >= 256, `${turns} turns`);
});

t.test('step events arrive during the run, one per step, the last before the result', async (test) => {
  const pipe = await opened(test);
  const events: { readonly event: JobEvent; readonly at: number }[] = [];
  let done = Number.POSITIVE_INFINITY;
  const job = pipe.generate({
    ...scene,
    steps: 20,
    onProgress: (event) => events.push({ event, at: performance.now() }),
  });
  const { timings } = await job;
  done = performance.now();
  const steps = events.flatMap(({ event, at }) => (event.type === 'step' ? [{ step: event.step, at }] : []));
  test.same(
    steps.map(({ step }) => step),
    Array.from({ length: 20 }, (_, i) => i + 1),
  );
  test.ok(steps.at(-1)!.at < done);
  test.ok(
    events.findIndex(({ event }) => event.type === 'image') >
      events.findLastIndex(({ event }) => event.type === 'step'),
  );
  const span = steps.at(-1)!.at - steps[0]!.at;
  test.ok(span > timings.sampleMs / 2, `steps spread over ${span.toFixed(0)} of ${timings.sampleMs.toFixed(0)} ms`);
});

t.test('aborted before it begins, a run rejects at once and draws nothing', async (test) => {
  const pipe = await opened(test);
  const began = performance.now();
  const { code, at } = await failure(pipe.generate({ ...LONG, signal: AbortSignal.abort() }));
  test.equal(code, 'ABORTED');
  test.ok(at - began <= AT_ONCE, `${(at - began).toFixed(1)} ms`);
  test.equal(await drawn(pipe), fresh);
});

for (const step of [1, 2, 3, 5, 8, 13, 21]) {
  t.test(
    `aborted after step ${step}, a run rejects within ${AT_ONCE} ms, and the next draws a fresh process's bytes`,
    async (test) => {
      const pipe = await opened(test);
      const controller = new AbortController();
      let aborted = 0;
      const abort = (): void => {
        aborted = performance.now();
        controller.abort();
      };
      const job = pipe.generate({
        ...LONG,
        signal: controller.signal,
        // half of the time in the middle of the next step
        onProgress: (event) =>
          event.type === 'step' && event.step === step && (step % 2 ? abort() : setTimeout(abort, 5)),
      });
      const { code, at } = await failure(job);
      test.equal(code, 'ABORTED');
      test.ok(at - aborted <= AT_ONCE, `${(at - aborted).toFixed(1)} ms`);
      const asked = performance.now();
      test.equal(await drawn(pipe), fresh);
      test.comment(
        `rejected after ${(at - aborted).toFixed(1)} ms; the next run took ${(performance.now() - asked).toFixed(0)} ms`,
      );
    },
  );
}

t.test('aborted after its end, a run has its result, and the next draws the same', async (test) => {
  const pipe = await opened(test);
  const controller = new AbortController();
  test.equal(await drawn(pipe, { signal: controller.signal }), fresh);
  controller.abort();
  test.equal(await drawn(pipe), fresh);
});

t.test('an abort stops the work itself: the next run need not wait for the steps that were left', async (test) => {
  const pipe = await opened(test);
  const alone = performance.now();
  await drawn(pipe);
  const usual = performance.now() - alone;
  const controller = new AbortController();
  const onProgress = (event: JobEvent): unknown => event.type === 'step' && event.step === 2 && controller.abort();
  await failure(pipe.generate({ ...scene, steps: 1000, signal: controller.signal, onProgress }));
  const began = performance.now();
  await drawn(pipe);
  const next = performance.now() - began;
  test.ok(next < usual + 1000, `${next.toFixed(0)} ms, alone ${usual.toFixed(0)} ms`);
});

t.test('dispose during a run rejects the job, and ends soon', async (test) => {
  const pipe = await Pipeline.load(sketch.path);
  let asked = 0;
  let ending: Promise<void> | undefined;
  const job = pipe.generate({
    ...LONG,
    onProgress: (event) => {
      if (event.type !== 'step' || event.step !== 3) return;
      asked = performance.now();
      ending = pipe.dispose();
    },
  });
  const { code, at } = await failure(job);
  test.equal(code, 'ABORTED');
  test.ok(at - asked <= AT_ONCE, `${(at - asked).toFixed(1)} ms`);
  await ending;
  test.ok(performance.now() - asked <= 500, `disposed after ${(performance.now() - asked).toFixed(0)} ms`);
});

t.test('runs that are asked for at once wait for each other, and draw as if alone', async (test) => {
  const pipe = await opened(test);
  const other = await drawn(pipe, { seed: 4 });
  const positions: number[] = [];
  const onProgress = (event: JobEvent): unknown => event.type === 'queued' && positions.push(event.position);
  const both = [drawn(pipe, { onProgress }), drawn(pipe, { seed: 4, onProgress }), drawn(pipe, { onProgress })];
  test.same(await Promise.all(both), [fresh, other, fresh]);
  test.same(positions, [0, 1, 2]);
});

t.test('two pipelines at once draw as if alone', async (test) => {
  const pipes = [await opened(test), await opened(test)];
  test.same(await Promise.all(pipes.map((pipe) => drawn(pipe))), [fresh, fresh]);
});

t.test(
  'a worker thread draws the same bytes, and one that is terminated in mid-run ends within 250 ms',
  async (test) => {
    const { code, signal, out, err } = await child('worker.child.ts');
    test.same({ code, signal }, { code: 0, signal: null }, err || 'ends by itself');
    const { worker, terminated, main } = JSON.parse(out) as { worker: string; terminated: number[]; main: string };
    test.equal(worker, fresh);
    test.equal(main, fresh, 'and so does the main thread afterwards');
    for (const ms of terminated) test.ok(ms <= 250, `${ms.toFixed(0)} ms`);
  },
);

for (const step of [1, 2, 5]) {
  t.test(`process.exit after step ${step} ends with its code within 500 ms`, async (test) => {
    const { code, signal, out, err } = await child('leave.child.ts', String(step));
    test.same({ code, signal }, { code: 7, signal: null }, err || 'the code given');
    const ms = Date.now() - Number(out);
    test.ok(ms <= 500, `${ms} ms`);
  });
}
