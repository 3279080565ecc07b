// The closing line of `npm test` must tell the truth, so its counting is tested on the runners' own output.
import t from 'tap';
import { failed, nativeTotals, remarks, sum, tapTotals, totalsLine } from '../../scripts/test-totals.mjs';

const report = `TAP version 14
1..3
# Subtest: test/a.test.ts
    # Subtest: one
        ok 1 - should be equal
        ok 2 - should be equal
        1..2
    ok 1 - one # time=3.031ms

    # Subtest: group
        # Subtest: inner
            ok 1 - should be equal
            1..1
        ok 1 - inner # time=0.588ms

        ok 2 - no model # SKIP no folder named
        not ok 3 - later # TODO not decided
        # Subtest: bad
            not ok 1 - one is two
              ---
              source: |
                ok 1 - text that looks like a test point
              ...

            1..1
        not ok 4 - bad # time=17.33ms

        1..4
    not ok 2 - group # time=34.016ms

    1..2
not ok 1 - test/a.test.ts # time=54.676ms
  ---
  exitCode: 1
  ...

# Subtest: test/b.test.ts
    ok 1 - should be equal
    ok 2 - should be equal
    1..2
ok 2 - test/b.test.ts # time=13.072ms

# Subtest: test/crash.test.ts
    1..0 # no tests found
not ok 3 - test/crash.test.ts # time=1115.716ms
  ---
  signal: SIGSEGV
  ...

# { total: 9, pass: 6, fail: 2, todo: 1, skip: 1 }
`;

t.test('TAP: subtests count once, todo as skipped, a crash and a failed assertion as failed', async (t) => {
  t.same(tapTotals(report), {
    passed: 3,
    failed: 2,
    skipped: 2,
    failures: ['test/a.test.ts > group > bad: one is two', 'test/crash.test.ts'],
  });
});

t.test('TAP: a group whose own plan is not met fails although its tests pass', async (t) => {
  const text = '# Subtest: a\n    # Subtest: b\n        ok 1 - x\n    ok 1 - b\n    1..2\nnot ok 1 - a\n';
  t.same(tapTotals(text), { passed: 1, failed: 1, skipped: 0, failures: ['a'] });
});

t.test('native: the last line counts, and no such line means a crash', async (t) => {
  const totals = { passed: 1, failed: 1, skipped: 0, failures: ['silu'] };
  t.same(nativeTotals('ok gelu\nnot ok silu\n  # off by one\n1 passed, 1 failed, 0 skipped\n'), totals);
  t.equal(nativeTotals('ok gelu\n'), undefined);
  t.equal(nativeTotals('1 passed, 0 failed, 0 skipped\nok one more\n'), undefined);
  t.equal(nativeTotals(''), undefined);
});

t.test('sums keep the names, and the line has the three numbers', async (t) => {
  const all = sum([failed('a'), failed('b'), { passed: 4, failed: 0, skipped: 1, failures: [] }]);
  t.same(all.failures, ['a', 'b']);
  t.equal(totalsLine(all), '4 passed, 2 failed, 1 skipped');
});

t.test('what is not there yet is found among the comments', async (test) => {
  test.same(
    remarks(
      'ok 1 - a\n    # not yet: 3 golden cases pipeline/inpaint (inpainting)\n# not yet, perhaps\n# measured: 3 s\n# not run: no qemu\n1..1\n',
    ),
    ['not yet: 3 golden cases pipeline/inpaint (inpainting)', 'measured: 3 s', 'not run: no qemu'],
  );
});
