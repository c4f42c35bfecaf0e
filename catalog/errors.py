"""What a user of the catalogue can mend. Every text names the input, the cause and the cure."""


class CatalogError(ValueError):
    """Base class: bad input to ``segue index`` or ``segue search``, or a catalogue that cannot be used that way."""


class MusicFolderError(CatalogError):
    """The folder of music is missing, empty, or holds nothing that can be used."""


class FormatError(CatalogError):
    """A folder that is not a catalogue, or one of another format version."""


class BundleMismatchError(CatalogError):
    """A catalogue built with another bundle than the one given."""


class LockedError(CatalogError):
    """Another ``segue index`` is writing this catalogue."""


class UnknownTrackError(CatalogError):
    """No track of that id."""


class NothingChosenError(CatalogError):
    """No track passes what was asked for."""


class SearchDeviceError(CatalogError):
    """Segments cannot be searched on the requested device."""


class SearchIndexError(CatalogError):
    """There is no such index, or it cannot be reached or read."""


class LibraryError(CatalogError):
    """Another program's library (rekordbox, Mixxx) that cannot be read."""


class ClusterError(CatalogError):
    """The Dask cluster is not there, or one of its workers cannot analyse as this machine would."""
