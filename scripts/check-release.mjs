// node scripts/check-release.mjs: whether what npm asks of a release is said in the manifests: the version that the tag names,
// and the repository that the workflow runs in, without which npm refuses the provenance. Run by release.yml.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { cudaPackages } from './cuda-package.mjs';

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[/\\]$/, '');

/** `owner/name` of a manifest's repository. */
const repositoryOf = ({ repository }) => {
  const address = typeof repository === 'string' ? repository : repository?.url;
  return /^(?:github:|.*github\.com[/:])?([\w.-]+\/[\w.-]+?)(?:\.git)?$/.exec(address ?? '')?.[1];
};

/**
 * @param {{ name: string, version: string, repository?: string | { url: string } }} manifest
 * @param {{ tag?: string, repository?: string }} run tag: where one is released; repository: `owner/name`
 */
export function releaseComplaints(manifest, { tag, repository }) {
  const { name, version } = manifest;
  const told = [];
  if (tag !== undefined && tag !== `v${version}`) told.push(`${name}: the tag is ${tag}, the version ${version}`);
  const own = repositoryOf(manifest);
  if (repository !== undefined && own?.toLowerCase() !== repository.toLowerCase())
    told.push(
      `${name}: package.json names ${own ?? 'no repository'}, provenance needs "repository" to be ${repository}`,
    );
  return told;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { GITHUB_REF_TYPE, GITHUB_REF_NAME, GITHUB_REPOSITORY } = process.env;
  const run = { tag: GITHUB_REF_TYPE === 'tag' ? GITHUB_REF_NAME : undefined, repository: GITHUB_REPOSITORY };
  const found = [root, ...cudaPackages(root)].flatMap((folder) =>
    releaseComplaints(JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')), run),
  );
  for (const text of found) process.stderr.write(`${text}\n`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
