// Counts tests in what the two runners print. A test is a subtest without subtests of its own; a file that only has
// assertions is one test. Skipped and todo both count as skipped.

/** @typedef {{ passed: number, failed: number, skipped: number, failures: string[] }} Totals */

/** @returns {Totals} */
const none = () => ({ passed: 0, failed: 0, skipped: 0, failures: [] });

/** @param {readonly Totals[]} all @returns {Totals} */
export const sum = (all) =>
  all.reduce(
    (left, right) => ({
      passed: left.passed + right.passed,
      failed: left.failed + right.failed,
      skipped: left.skipped + right.skipped,
      failures: [...left.failures, ...right.failures],
    }),
    none(),
  );

/** @param {string} failure @returns {Totals} */
export const failed = (failure) => ({ ...none(), failed: 1, failures: [failure] });

/** @param {Totals} totals */
export const totalsLine = ({ passed, failed, skipped }) => `${passed} passed, ${failed} failed, ${skipped} skipped`;

/** @typedef {{ ok: boolean, name: string, skipped: boolean, points?: Point[] }} Point points: of a subtest only */

/**
 * The tree of test points in TAP 14 text. A subtest is announced by `# Subtest: name`, its points are indented by four
 * more, and a point at its own depth closes it.
 * @param {string} text @returns {Point[]}
 */
function pointsOf(text) {
  /** @type {Point[][]} points seen at each depth */
  const levels = [[]];
  /** @type {boolean[]} whether a subtest is open at each depth */
  const open = [];
  let diagnosticIndent = -1; // of the YAML block being skipped; its text may look like TAP
  for (const line of text.split('\n')) {
    const indent = line.length - line.trimStart().length;
    if (diagnosticIndent >= 0) {
      if (indent === diagnosticIndent && line.trim() === '...') diagnosticIndent = -1;
      continue;
    }
    if (line.trim() === '---') {
      diagnosticIndent = indent;
      continue;
    }
    if (indent % 4 !== 0) continue;
    const depth = indent / 4;
    if (line.startsWith('# Subtest', indent)) {
      open[depth] = true;
      levels[depth + 1] = [];
      continue;
    }
    const match = /^(not )?ok\b(?: \d+)?(?: - )?(.*)$/.exec(line.slice(indent));
    if (!match) continue;
    const [name = '', directive] = (match[2] ?? '').split(/ # (?=skip|todo|time=)/i);
    const point = { ok: !match[1], name: name.trim(), skipped: /^(skip|todo)/i.test(directive ?? '') };
    const siblings = levels[depth] ?? [];
    siblings.push(open[depth] ? { ...point, points: levels[depth + 1] ?? [] } : point);
    levels[depth] = siblings;
    open[depth] = false;
  }
  return levels[0] ?? [];
}

/** @param {Point} point @param {readonly string[]} above @returns {Totals} */
function count(point, above) {
  const path = [...above, point.name];
  if (point.skipped) return { ...none(), skipped: 1 };
  const points = point.points ?? [];
  const subtests = points.filter((inner) => inner.points);
  if (subtests.length === 0) {
    const skipped = points.filter((inner) => inner.skipped).length;
    const bad = points.filter((inner) => !inner.ok && !inner.skipped);
    if (!point.ok) {
      const causes = bad.map((inner) => inner.name).join('; ');
      return { ...none(), failed: 1, skipped, failures: [path.join(' > ') + (causes ? `: ${causes}` : '')] };
    }
    return { ...none(), passed: skipped > 0 && skipped === points.length ? 0 : 1, skipped };
  }
  const assertions = points.filter((inner) => !inner.points && (inner.skipped || !inner.ok));
  const total = sum([...subtests, ...assertions].map((inner) => count(inner, path)));
  // A group fails by itself when its plan was not met or its process died.
  return point.ok || total.failed > 0 ? total : sum([total, failed(path.join(' > '))]);
}

/** Totals of the raw TAP that `tap --output-file` writes. @param {string} text @returns {Totals} */
export const tapTotals = (text) => sum(pointsOf(text).map((point) => count(point, [])));

/** What test files said is not there yet, and what they measured, in comments of their own. @param {string} text @returns {string[]} */
export const remarks = (text) =>
  [...text.matchAll(/^\s*# ((?:not yet|not run|measured): .*)$/gm)].map(([, line]) => line ?? '');

/**
 * Totals of the native test program: its last line, and the names in its `not ok` lines. Undefined when there is no such
 * line, that is after a crash.
 * @param {string} text @returns {Totals | undefined}
 */
export function nativeTotals(text) {
  const lines = text.trimEnd().split('\n');
  const match = /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(lines.at(-1)?.trim() ?? '');
  if (!match) return undefined;
  const failures = lines.filter((line) => line.startsWith('not ok ')).map((line) => line.slice('not ok '.length));
  return { passed: Number(match[1]), failed: Number(match[2]), skipped: Number(match[3]), failures };
}
