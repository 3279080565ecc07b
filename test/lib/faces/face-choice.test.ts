import t from 'tap';
import { chooseFaces, type FaceSearch } from '../../../lib/faces/face-choice.js';
import type { DetectedFace } from '../../../lib/native/types.js';

const face = (x1: number, y1: number, x2: number, y2: number, score: number): DetectedFace => ({
  score,
  box: [x1, y1, x2, y2],
  landmarks: [],
});
// best score first, as the detector gives them
const small = face(300, 100, 340, 140, 0.9);
const large = face(400, 50, 600, 250, 0.8);
const left = face(10, 10, 60, 60, 0.7);
const search: FaceSearch = { faces: [small, large, left], size: 640, tried: ['640'], width: 640, height: 300 };
const code = (work: () => unknown): unknown => {
  try {
    work();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return undefined;
};

t.test('each rule chooses its face', async (test) => {
  test.same(chooseFaces(search, 'largest', 'image'), [large]);
  test.same(chooseFaces(search, 'score', 'image'), [small]);
  test.same(chooseFaces(search, 'best', 'image', [0.2, 0.5, 0.7]), [left]);
  test.same(chooseFaces(search, 'best', 'image', [0.2, 0.7, 0.7]), [large], 'of equals the better score');
  test.same(chooseFaces(search, 'center', 'image'), [small]);
  test.same(chooseFaces(search, 'left', 'image'), [left]);
  test.same(chooseFaces(search, 'all', 'image'), search.faces);
  test.same(chooseFaces(search, 1, 'image'), [large]);
  test.same(chooseFaces({ ...search, faces: [left] }, 'only', 'image'), [left]);
});

t.test('F-01, F-02: none, too many, no such index', async (test) => {
  test.equal(
    code(() => chooseFaces(search, 'only', 'image')),
    'FACE_AMBIGUOUS',
  );
  try {
    chooseFaces(search, 3, 'references[0].image');
  } catch (error) {
    test.match(error, { code: 'FACE_AMBIGUOUS', message: /references\[0\]\.image.*\[400, 50, 600, 250\]/ });
  }
  try {
    chooseFaces(
      { ...search, faces: [], tried: ['640', '576', '640 with a border'] },
      'largest',
      'references[0].images[2]',
    );
  } catch (error) {
    test.match(error, { code: 'FACE_NOT_FOUND', message: /images\[2\].*640, 576, 640 with a border/ });
  }
  test.equal(
    code(() => chooseFaces({ ...search, faces: [] }, 'all', 'image')),
    'FACE_NOT_FOUND',
  );
});
