import t from 'tap';
import {
  AbortError,
  abortError,
  errorOf,
  InternalError,
  IpAdapterError,
  ModelFileError,
  nearest,
  OptionError,
  quoted,
  toError,
} from '../../lib/errors.js';

t.test('a native error becomes the class of its code', async (test) => {
  const thrown = {
    code: 'MODEL_TRUNCATED',
    message: 'file ends early',
    hint: 'Copy it again',
    details: { offset: 12 },
  };
  const error = toError(thrown);
  test.ok(error instanceof ModelFileError);
  test.match(error, { ...thrown, name: 'ModelFileError', retryable: false });
  test.equal(error.cause, thrown);
  test.equal(toError(error), error, 'an error of ours stays as it is');
});

t.test('anything else is INTERNAL and keeps its cause', async (test) => {
  for (const thrown of [new TypeError('x is undefined'), 'text', null, undefined, { code: 'toString' }, { code: 7 }]) {
    const error = toError(thrown);
    test.ok(error instanceof InternalError, String(thrown));
    test.equal(error.code, 'INTERNAL');
    test.equal(error.cause, thrown);
  }
});

t.test('retryable is what a later call may mend', async (test) => {
  test.equal(errorOf('QUEUE_FULL', '', '').retryable, true);
  test.equal(errorOf('OPTION_TYPE', '', '').retryable, false);
  test.equal(errorOf('OPTION_TYPE', '', '', { retryable: true }).retryable, true);
});

t.test('an abort carries the reason of its signal', async (test) => {
  const reason = new Error('changed my mind');
  const error = abortError(reason);
  test.ok(error instanceof AbortError && error instanceof IpAdapterError && error instanceof Error);
  test.match(error, { name: 'AbortError', code: 'ABORTED' });
  test.equal(error.cause, reason);
  test.equal('cause' in new OptionError('OPTION_TYPE', 'm', 'h'), false, 'no cause, no field');
});

t.test('message and hint together have at most 600 characters', async (test) => {
  for (const [m, h] of [
    [5000, 5000],
    [5000, 0],
    [0, 5000],
    [590, 10],
    [600, 0],
  ] as const) {
    const error = errorOf('INTERNAL', 'm'.repeat(m), 'h'.repeat(h));
    test.ok(error.message.length + error.hint.length <= 600, `${m} + ${h}`);
  }
  test.equal(errorOf('INTERNAL', 'm'.repeat(600), '').message.length, 600, 'what fits is not cut');
  test.notMatch(
    errorOf('INTERNAL', '🐱'.repeat(400), '').message,
    /[\uD800-\uDBFF](?![\uDC00-\uDFFF])/,
    'no half of a pair',
  );
});

t.test('quoted text is safe to show', async (test) => {
  test.equal(quoted('model.safetensors'), '"model.safetensors"');
  test.equal(quoted('a\nb\u001b[31m\u0000'), '"a\\u000Ab\\u001B[31m\\u0000"');
  test.equal(quoted('🐱\ud800'), '"🐱\\uD800"');
  test.equal(quoted('x'.repeat(500)).length, 122);
});

t.test('nearest name', async (test) => {
  const known = ['steps', 'seed', 'guidanceScale', 'negativePrompt'];
  test.equal(nearest('step', known), 'steps');
  test.equal(nearest('guidancescale', known), 'guidanceScale');
  test.equal(nearest('negativPromt', known), 'negativePrompt');
  test.equal(nearest('banana', known), undefined);
  test.equal(nearest('x', []), undefined);
});
