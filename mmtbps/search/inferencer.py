"""Inferencer that finds people of a gallery by sentences and by pictures."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image

from mmtbps.errors import BadValue, MissingFile

from .answers import PhraseChecker, Wishes
from .answers.answering import Answerer, Asked
from .answers.judges import Judges
from .captioning import CaptionOptions, with_captions
from .encoders.base import Encoder, check_texts
from .encoders.loading import load_encoder
from .encoders.queries import fuse_features, read_queries
from .galleries.base import BaseGallery, GalleryEntry, GalleryMismatch, NoGallery
from .galleries.factory import open_gallery
from .galleries.fingerprint import may_search
from .galleries.provenance import read_provenance
from .grouped_search import find_hits
from .media.base import Detector, Tracker
from .media.crops import read_entry
from .media.images import read_image
from .results import SearchHit, SearchResult

if TYPE_CHECKING:
    from .encoders.explain import WordHeatMap
    from .indexing import IndexReport, Metadata
    from .reranking import HitReranker

__all__ = ['TextToPersonInferencer']

Where = Mapping[str, Any]

class TextToPersonInferencer:
    """Searcher of a gallery of people by sentences, by pictures, or by one of its own entries.

    Every search gives a list with one `SearchResult` a query. It can be read as what its
    ``to_json()`` gives::

        [{'query': 'a man in a red coat',
          'hits': [{'rank': 1, 'score': 0.83, 'id': ..., 'path': 'lobby/0007.jpg',
                    'camera': 'c1', 'time': 1700000000.0, 'track': None, 'frame': None,
                    'box': None, 'extra': {}}, ...]}]

    Scores are cosine similarities, best first. A gallery with fewer entries gives fewer hits. A hit
    has a ``probability`` where a sentence was asked of a model that was trained to tell one.

    Args:
        model: What `load_encoder` takes: ``'hf:owner/name'`` and other names of pretrained models,
            name or path of a config, folder of a saved or exported model, built model; or an
            encoder.
        weights: The checkpoint of a config.
        gallery: An open gallery or its address, see `open_gallery`; `index` begins one that is
            not there yet. None for the encoder alone.
        device: ``'cpu'``, ``'cuda'``; by default the best there is.
        images: Folder that the paths of the gallery are relative to, for `explain` and a second
            stage; by default the one it was indexed from.
        reranker: Orders the first hits of a sentence anew, see `mmtbps.search.HitReranker`.
        presence: Whether to tell if the person of a sentence is there at all: None tells it where
            the model is calibrated, True estimates it else without labels.
        calibration: File of ``mmtbps calibrate``; by default that of the gallery's folder, or the
            one beside the model.
        prior: Share of all sentences asked whose person is there; a half by default.

    Attributes:
        encoder: Turns sentences and pictures into features.

    Raises:
        GalleryMismatch: If the gallery holds features of another model.

    Example::

        searcher = TextToPersonInferencer('vit_bert_pdg_drawn', 'best.pth', 'people.lance')
        searcher(['a man in a red coat'], topk=10, where={'camera': ['c1', 'c2']})
    """

    def __init__(self, model: Any, weights: str | os.PathLike | None = None,
                 gallery: str | os.PathLike | BaseGallery | None = None,
                 device: str | None = None, images: str | os.PathLike | None = None,
                 reranker: 'HitReranker | None' = None, presence: bool | None = None,
                 calibration: str | os.PathLike | None = None,
                 prior: float | None = None) -> None:
        given = not isinstance(model, (str, os.PathLike)) and isinstance(model, Encoder)
        self.encoder: Encoder = model if given else load_encoder(model, weights, device)
        named = isinstance(model, (str, os.PathLike))
        self._model, self._weights = (model, weights) if named else (None, None)
        self._images, self.reranker = images, reranker
        self._judges = Judges(self.encoder, self._model, self._weights, presence, calibration,
                              prior)
        self._gallery: BaseGallery | None = None
        self._address: str | None = None
        if isinstance(gallery, BaseGallery):
            self._gallery = self._of_this_model(gallery)
        elif gallery is not None:
            self._address = os.fspath(gallery)
            self._open_existing()

    @classmethod
    def from_pretrained(cls, name: str | os.PathLike,
                        gallery: str | os.PathLike | BaseGallery | None = None,
                        images: str | os.PathLike | None = None,
                        **options: Any) -> 'TextToPersonInferencer':
        """Load a model of the Hugging Face hub, or a folder of `save_pretrained`, to search with.

        Args:
            name: ``'owner/name'`` or a folder. No code of it is run and nothing unpickled.
            gallery: As for the class.
            images: As for the class.
            **options: ``device`` and ``batch_size``; ``revision``, ``token``, ``cache_dir`` and
                the like of ``huggingface_hub``.
        """
        from .encoders.torch_encoder import TorchEncoder
        searcher = cls(TorchEncoder.from_pretrained(name, **options), gallery=gallery,
                       images=images)
        revision = options.get('revision')
        searcher._model = f'{name}@{revision}' if revision else name
        searcher._judges.model = name
        return searcher

    def save_pretrained(self, folder: str | os.PathLike) -> None:
        """Write the model with its tokenizer to a folder that needs no config; not the gallery.

        Raises:
            TypeError: If it is an exported model, whose folder can be copied as it is.
        """
        if not hasattr(self.encoder, 'save_pretrained'):
            raise TypeError(f'{type(self.encoder).__name__} has nothing to save: copy its folder')
        self.encoder.save_pretrained(folder)

    def push_to_hub(self, name: str, **options: Any) -> str:
        """Push a model of ours with its card to the hub, and return the commit's address.

        Options are those of `TorchEncoder.push_to_hub`.
        """
        if not hasattr(self.encoder, 'push_to_hub'):
            raise TypeError(f'{type(self.encoder).__name__} is no model of ours: push its folder')
        return str(self.encoder.push_to_hub(name, **options))

    @property
    def checker(self) -> PhraseChecker:
        """The checker of phrases; its ``bounds`` may be set, else ``mmtbps calibrate`` does."""
        return self._judges.checker

    @property
    def judges(self) -> Judges:
        """The judges of its answers, of phrases and of presence."""
        return self._judges

    @property
    def gallery(self) -> BaseGallery:
        """The gallery that is searched.

        Raises:
            BadValue: None was named.
            NoGallery: There is none of this name yet.
        """
        if self._gallery is None and self._address is None:
            raise BadValue("no gallery is named: TextToPersonInferencer(..., "
                           "gallery='people.lance')")
        return self._gallery or self._open_existing() or open_gallery(self._address)

    def index(self, source: str | os.PathLike, metadata: Mapping[str, 'Metadata'] | None = None,
              detector: Detector | None = None, tracker: Tracker | None = None,
              every: float | None = None, captions: CaptionOptions | None = None,
              **options: Any) -> 'IndexReport':
        """Bring the gallery up to date with a folder of images; begin it if it is not there.

        The gallery notes the model, so that later searches need no more than its name.

        Args:
            source: Folder of crops. Images that cannot be read are skipped and reported.
            metadata: See `mmtbps.search.indexing.index_people`.
            detector: Finds the people first; see `DetectionOptions`, also for the next two.
            tracker: Makes one entry of a track.
            every: Seconds between the frames of a video.
            captions: Mixed into the features, see `mmtbps.search.captioning`.
            **options: Of `mmtbps.search.indexing.IndexOptions`: ``batch_size``, ``workers``, ...
        """
        from .indexing import DetectionOptions, IndexOptions, index_people
        from .indexing.noted_model import note_model
        if self._gallery is None and self._address is not None:
            self._gallery = open_gallery(self._address, with_captions(
                self.encoder.fingerprint, captions and captions.identity))
        gallery = self.gallery
        detection = None if detector is None else DetectionOptions(detector, tracker, every)
        return index_people(source, gallery, self.encoder, metadata=metadata,
                            detection=detection, options=IndexOptions(**options), captions=captions,
                            begun=lambda: note_model(gallery, self.encoder, self._model,
                                                     self._weights))

    def __call__(self, texts: str | Sequence[str], topk: int = 10, where: Where | None = None,
                 group: str | None = None, **wishes: Any) -> list[SearchResult]:
        """Find the people that sentences describe.

        Args:
            texts: One or several descriptions.
            topk: At most so many hits each.
            where: Which entries count, as ``{'camera': ['c1', 'c2'], 'time': (since, until)}``;
                see `mmtbps.search.galleries.filters`.
            group: ``'track'`` or ``'photograph'``: one hit for all of one, see `group_hits`.
                Identical pictures are one hit in any case.
            **wishes: Of `mmtbps.search.answers.Wishes`: ``must=['red coat']`` orders by it,
                ``like`` and ``unlike`` (ids) move the query, ``weigh=1`` weighs the phrases of
                the sentences, ``mark=True`` marks them; what is denied ("no hat") orders, too.

        Returns:
            A result each, with the words that the model does not know or read as ``unknown`` and
            ``unread``.

        Raises:
            ValueError: If a text has no word, or none that the model knows, or topk or the filter
                are ill-formed.
        """
        asked, wished = Wishes.of(**wishes), [texts] if isinstance(texts, str) else list(texts)
        check_texts(wished)
        queries = read_queries(self.encoder, [asked.affirmed(text) for text in wished])
        vectors = self.encoder.encode_texts([query.encoded for query in queries])
        return self._answer([Asked(text, text, query.encoded, query.said)
                             for text, query in zip(wished, queries, strict=True)],
                            vectors, asked, topk=topk, where=where, group=group)

    def search_image(self, image: str | os.PathLike | Image.Image, topk: int = 10,
                     where: Where | None = None, texts: str | Sequence[str] = (),
                     image_weight: float = .5, group: str | None = None,
                     **wishes: Any) -> list[SearchResult]:
        """Find the people who look like the one in a picture, and fit words besides.

        Picture and sentence become one query, ``image_weight * picture + (1 - image_weight) *
        sentence``, brought to length 1.

        Args:
            image: A crop, or the path of one. An image has the query ``'image'``.
            topk: At most so many hits.
            where: Which entries count.
            texts: One or several sentences, each of which is asked together with the picture.
            image_weight: Share of the picture in the query, 0 to 1.
            group: As for sentences.
            **wishes: As for sentences.

        Returns:
            A result for the picture, or one for each sentence, with ``image`` and
            ``image_weight``.

        Raises:
            UnreadableImage: If the file is missing, broken or too large.
            ValueError: If the weight is none, or as for sentences alone.
        """
        if not 0 <= image_weight <= 1:
            raise BadValue(f'the weight of the picture must be from 0 to 1, got {image_weight}')
        name = 'image' if isinstance(image, Image.Image) else os.fspath(image)
        asked, wished = Wishes.of(**wishes), [texts] if isinstance(texts, str) else list(texts)
        check_texts(wished)
        queries = read_queries(self.encoder, [asked.affirmed(text) for text in wished])
        picture = image if isinstance(image, Image.Image) else read_image(image)
        vectors = self.encoder.encode_images([picture])
        if not queries:
            return self._answer([Asked(name)], vectors, asked, topk=topk, where=where, group=group)
        words = self.encoder.encode_texts([query.encoded for query in queries])
        both = dict(image=name, image_weight=float(image_weight))
        return self._answer([Asked(text, text, said=dict(query.said, **both))
                             for text, query in zip(wished, queries, strict=True)],
                            fuse_features(vectors, words, image_weight), asked,
                            topk=topk, where=where, group=group)

    def similar_to(self, entry_id: str, topk: int = 10,
                   where: Where | None = None) -> list[SearchResult]:
        """Find the people who look like one of the gallery, without that one.

        Args:
            entry_id: The query.
            topk: At most so many hits.
            where: Which entries count.

        Raises:
            KeyError: If there is no such entry.
        """
        _, vectors = self.gallery.get([entry_id])
        # One more, for the entry itself; what is no number of hits stays none and is refused.
        hits = find_hits(self.gallery, vectors, topk + 1 if topk > 0 else topk, where, None)[0]
        others = [hit for hit in hits if hit.entry.id != entry_id]
        return [SearchResult.of(entry_id, others, topk=topk)]

    def explain(self, text: str,
                entry: GalleryEntry | SearchHit | Mapping[str, Any] | str) -> 'WordHeatMap':
        """Find each word of a text in the picture of an entry.

        Args:
            text: A description.
            entry: A hit of an answer, an entry, or its id.

        Raises:
            UnreadableImage: If the picture is not there any more.
            TypeError: If the encoder cannot tell, as an exported one.
        """
        from .encoders.explain import word_heat_map
        query, = read_queries(self.encoder, [text])
        return word_heat_map(self.encoder, self.picture(entry), query.encoded)

    def picture(self, entry: GalleryEntry | SearchHit | Mapping[str, Any] | str) -> Image.Image:
        """Read the crop of an entry.

        Args:
            entry: A hit of an answer, an entry, or its id.

        Raises:
            FileNotFoundError: If it is not known which folder the images are in.
            ChangedFile: If the file has changed since it was indexed.
            UnreadableImage: If the picture is not there any more.
        """
        entry = self._whole_entry(entry)
        root = self._images or read_provenance(self.gallery).images
        if root is None:
            raise MissingFile(f'{self.gallery.uri} does not say where its images are: '
                              'TextToPersonInferencer(..., images=FOLDER)')
        return read_entry(root, entry)

    def _whole_entry(self, entry: GalleryEntry | SearchHit | Mapping[str, Any] | str
                     ) -> GalleryEntry:
        """Return an entry with the hash of its file, which a hit of a file does not have."""
        if isinstance(entry, SearchHit) and entry.entry.sha256:
            return entry.entry
        if isinstance(entry, GalleryEntry):
            return entry
        return self.gallery.get([entry if isinstance(entry, str) else entry['id']])[0][0]

    def _open_existing(self) -> BaseGallery | None:
        """Open the gallery if it is there, and check that it is of this model."""
        try:
            gallery = open_gallery(self._address)
        except NoGallery:
            return None
        self._gallery = self._of_this_model(gallery)
        return self._gallery

    def _of_this_model(self, gallery: BaseGallery) -> BaseGallery:
        if not may_search(gallery.fingerprint, self.encoder.fingerprint):
            raise GalleryMismatch(gallery.uri, gallery.fingerprint, self.encoder.fingerprint)
        return gallery

    def _answer(self, queries: Sequence[Asked], vectors: Any, wishes: Wishes,
                **asked: Any) -> list[SearchResult]:
        of_words = any(query.encoded is not None for query in queries)
        judges, gallery = self._judges, self.gallery
        estimator = judges.estimator_of(gallery) if of_words else None
        return Answerer(gallery, judges.checker_of(gallery), self.picture, self.reranker, estimator,
                        getattr(self.encoder, 'probability', lambda score: None))(
                            queries, vectors, wishes, **asked)
