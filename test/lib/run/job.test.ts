import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { OptionError } from '../../../lib/errors.js';
import { type GenerateResult, JobControl, type JobEvent } from '../../../lib/run/job.js';

const timings = { queueMs: 0, encodeMs: 0, sampleMs: 0, decodeMs: 0, totalMs: 0 };
const result: GenerateResult = { images: [], seeds: [1], timings, warnings: [], licenses: [] };
const step = (n: number): JobEvent => ({ type: 'step', step: n, steps: 20, etaMs: 0, image: 0, pass: 'base' });
const failure = (promise: PromiseLike<unknown>): Promise<{ name: string; code: string; cause?: unknown }> =>
  Promise.resolve(promise).then(
    () => ({ name: 'none', code: 'none' }),
    (error) => error,
  );

t.test('awaited, it gives the result; then, catch and finally work', async (test) => {
  const control = new JobControl();
  setImmediate(() => control.succeed(result));
  test.equal(await control.job, result);
  let ended = false;
  test.equal(
    await control.job.finally(() => {
      ended = true;
    }),
    result,
  );
  test.ok(ended);
  test.equal(await control.job.catch(() => 'failed'), result);
});

t.test('followed, it gives the events in order, and ends', async (test) => {
  const control = new JobControl();
  setImmediate(async () => {
    control.emit({ type: 'start', seeds: [1] });
    await sleep(1);
    control.emit(step(1));
    await sleep(1);
    control.emit({ type: 'done', timings });
    control.succeed(result);
    control.emit(step(2)); // nothing comes after the end
  });
  const seen: string[] = [];
  for await (const event of control.job) seen.push(event.type);
  test.same(seen, ['start', 'step', 'done']);
  test.equal(await control.job, result);
});

t.test('a slow reader keeps one pending step, and every other event', async (test) => {
  const control = new JobControl();
  const events: JobEvent[] = [];
  const reading = (async () => {
    for await (const event of control.job) {
      events.push(event);
      if (events.length === 1) await sleep(5);
    }
  })();
  control.emit({ type: 'start', seeds: [1] });
  await sleep(0);
  for (let i = 1; i <= 20; ++i) control.emit(step(i));
  control.emit({ type: 'decode', image: 0 });
  control.succeed(result);
  await reading;
  test.same(
    events.map((event) => (event.type === 'step' ? event.step : event.type)),
    ['start', 20, 'decode'],
  );
});

t.test('leaving the loop cancels; cancelling after the end changes nothing', async (test) => {
  const control = new JobControl();
  let stopped = 0;
  control.onEnd(() => {
    stopped += 1;
  });
  setImmediate(() => control.emit(step(1)));
  for await (const _ of control.job) break;
  test.match(await failure(control.job), { name: 'AbortError', code: 'ABORTED' });
  control.job.cancel();
  control.succeed(result);
  test.equal(stopped, 1);
  const done = new JobControl();
  done.succeed(result);
  done.job.cancel('late');
  test.equal(await done.job, result);
});

t.test('a failed job throws in the loop and in the await', async (test) => {
  const control = new JobControl();
  const error = new OptionError('OPTION_RANGE', 'no', 'mend it');
  setImmediate(() => control.fail(error));
  const loop = (async () => {
    for await (const _ of control.job);
  })();
  test.equal(await failure(loop), error);
  test.equal(await failure(control.job), error);
  const late = control.job[Symbol.asyncIterator]();
  test.equal(await failure(late.next()), error, 'a loop that begins late gets it too');
});

t.test('L-02: a listener that throws or rejects fails the job with its error as cause', async (test) => {
  const cause = new Error('my bug');
  for (const listener of [
    () => {
      throw cause;
    },
    async () => {
      throw cause;
    },
  ]) {
    const control = new JobControl();
    control.listen(listener);
    control.emit(step(1));
    const error = await failure(control.job);
    test.match(error, { code: 'ABORTED' });
    test.equal(error.cause, cause);
  }
});

t.test('nobody listening to a failure is an unhandled rejection; a loop is a listener', async (test) => {
  const unhandled: unknown[] = [];
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  const note = (reason: unknown): number => unhandled.push(reason);
  process.on('unhandledRejection', note);
  const control = new JobControl();
  control.fail(new OptionError('OPTION_RANGE', 'no', 'mend it'));
  await sleep(5);
  test.equal(unhandled.length, 1);
  const followed = new JobControl();
  const iterator = followed.job[Symbol.asyncIterator]();
  followed.fail(new OptionError('OPTION_RANGE', 'no', 'mend it'));
  await sleep(5);
  test.equal(unhandled.length, 1);
  await failure(iterator.next());
  process.removeListener('unhandledRejection', note);
  for (const listener of others) process.on('unhandledRejection', listener);
});
