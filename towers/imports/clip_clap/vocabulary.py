"""One vocabulary for pictures and for sound: the tags of both networks, and what each tag means for the match.

UT-CMVMR describes a video and its music in the same words before it compares them; this is the same idea with our own
words and freely usable networks. A tag has a phrase for a picture, a phrase for sound, and a place on ``MEANINGS``: the
axes of the other imports, then themes, of which a tag has one or none. Places are written by hand, from the meaning of
the words and not from any result; ``association`` learns from pairs where there are enough.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..vocabulary import AXES

THEMES: Final = (
    "festive", "love", "horror", "war", "sport", "nature", "sea", "city", "machine", "space", "fable", "west", "east",
    "latin", "children", "past", "sacred", "crime",
)  # fmt: skip
MEANINGS: Final = (*AXES, *THEMES)
PICTURE_TEMPLATES: Final = ("a photo of {}.", "a still from a film: {}.", "a picture that shows {}.")
SOUND_TEMPLATES: Final = ("This audio is {}.", "The sound of {}.", "{}.")


@dataclass(frozen=True)
class Tag:
    """``place``: on ``AXES``, each from -1 to 1; ``theme``: one of ``THEMES``, or empty."""

    name: str
    picture: str
    sound: str
    place: tuple[float, ...]
    theme: str = ""

    def meaning(self) -> tuple[float, ...]:
        """The whole row, in the order of ``MEANINGS``."""
        return (*self.place, *(float(theme == self.theme) for theme in THEMES))


# Name, picture, sound; energy, valence, tension, organic, grand, playful; theme.
_MOODS: Final = (
    Tag("joyful", "happy people laughing", "joyful, happy music", (0.5, 1.0, -0.5, 0.1, 0.0, 0.7)),
    Tag("carefree", "a carefree day out", "carefree, light-hearted music", (0.2, 0.8, -0.6, 0.2, -0.2, 0.6)),
    Tag("playful", "something playful and silly", "playful, bouncy music", (0.4, 0.7, -0.3, 0.2, -0.2, 1.0)),
    Tag("funny", "a funny, comical moment", "funny, comical music", (0.3, 0.6, -0.1, 0.2, -0.3, 1.0)),
    Tag("hopeful", "a hopeful sunrise", "hopeful, optimistic music", (0.1, 0.7, -0.2, 0.2, 0.4, 0.0)),
    Tag("triumphant", "a triumphant victory", "triumphant, victorious music", (0.7, 0.8, 0.1, 0.1, 0.9, 0.0)),
    Tag("heroic", "a hero standing tall", "heroic orchestral music", (0.6, 0.5, 0.3, 0.3, 1.0, -0.2), "fable"),
    Tag("epic", "an epic, vast battle scene", "epic cinematic music", (0.7, 0.1, 0.5, 0.2, 1.0, -0.4)),
    Tag("majestic", "a majestic view", "majestic, grand music", (0.1, 0.4, 0.0, 0.5, 1.0, -0.4)),
    Tag("inspiring", "an inspiring moment", "inspiring, uplifting music", (0.3, 0.7, -0.1, 0.1, 0.6, 0.0)),
    Tag("tender", "a tender embrace", "tender, gentle music", (-0.7, 0.5, -0.6, 0.5, -0.3, -0.1), "love"),
    Tag("romantic", "a romantic couple", "romantic love music", (-0.4, 0.6, -0.4, 0.4, 0.1, 0.0), "love"),
    Tag("sensual", "a sensual mood at night", "sensual, slow music", (-0.2, 0.3, 0.0, 0.0, -0.2, 0.0), "love"),
    Tag("peaceful", "a peaceful, quiet place", "peaceful, calm music", (-0.9, 0.5, -0.9, 0.5, -0.1, -0.1)),
    Tag("relaxed", "somebody relaxing", "relaxed, laid-back music", (-0.6, 0.5, -0.8, 0.1, -0.3, 0.0)),
    Tag("dreamy", "a dreamy, hazy scene", "dreamy, floating music", (-0.6, 0.3, -0.4, -0.2, 0.2, 0.0)),
    Tag("meditative", "somebody meditating", "meditative music", (-1.0, 0.3, -0.8, 0.3, 0.1, -0.4), "sacred"),
    Tag("nostalgic", "an old faded photograph", "nostalgic music", (-0.4, 0.1, -0.3, 0.4, -0.1, 0.0), "past"),
    Tag("melancholic", "a lonely figure in the rain", "melancholic music", (-0.6, -0.6, 0.0, 0.4, 0.0, -0.4)),
    Tag("sad", "somebody crying", "sad, sorrowful music", (-0.7, -0.9, 0.1, 0.4, 0.1, -0.6)),
    Tag("lonely", "somebody alone in an empty place", "lonely music", (-0.7, -0.6, 0.0, 0.2, -0.2, -0.4)),
    Tag("mournful", "a funeral", "mournful funeral music", (-0.7, -0.9, 0.2, 0.5, 0.5, -0.7), "sacred"),
    Tag("bittersweet", "a farewell", "bittersweet music", (-0.4, -0.1, -0.1, 0.4, 0.0, -0.2)),
    Tag("mysterious", "a mysterious place in fog", "mysterious music", (-0.4, -0.3, 0.5, 0.0, 0.3, -0.2)),
    Tag("dark", "a dark, gloomy place", "dark, gloomy music", (-0.2, -0.7, 0.6, -0.2, 0.3, -0.6)),
    Tag("eerie", "an eerie abandoned house", "eerie music", (-0.5, -0.7, 0.8, -0.1, 0.1, -0.4), "horror"),
    Tag("scary", "a scary monster", "scary horror music", (0.2, -0.9, 1.0, -0.2, 0.3, -0.5), "horror"),
    Tag("suspenseful", "a suspenseful moment", "suspenseful music", (0.1, -0.5, 1.0, -0.1, 0.2, -0.5), "crime"),
    Tag("tense", "a tense confrontation", "tense music", (0.3, -0.6, 1.0, -0.1, 0.2, -0.6)),
    Tag("anxious", "a worried, anxious person", "anxious, nervous music", (0.2, -0.6, 0.8, 0.0, -0.1, -0.3)),
    Tag("dangerous", "danger and explosions", "dangerous action music", (0.9, -0.5, 0.9, -0.3, 0.4, -0.5)),
    Tag("angry", "an angry, shouting person", "angry, furious music", (0.9, -0.8, 0.9, -0.2, 0.1, -0.6)),
    Tag("aggressive", "a violent fight", "aggressive music", (1.0, -0.6, 0.9, -0.3, 0.1, -0.6)),
    Tag("determined", "somebody training hard", "determined, driving music", (0.7, 0.2, 0.4, -0.2, 0.3, -0.3)),
    Tag("chaotic", "chaos and confusion", "chaotic music", (0.8, -0.4, 0.8, -0.2, 0.0, 0.1)),
    Tag("weird", "something strange and surreal", "weird music", (0.0, -0.2, 0.5, -0.4, 0.0, 0.3)),
    Tag("magical", "magic and sparkling light", "magical music", (-0.1, 0.5, -0.1, 0.3, 0.5, 0.4), "fable"),
    Tag("solemn", "a solemn ceremony", "solemn, ceremonial music", (-0.4, -0.2, 0.1, 0.5, 0.8, -0.8), "sacred"),
    Tag("cool", "a cool, stylish person", "cool, confident music", (0.3, 0.3, 0.0, -0.3, -0.1, 0.2), "city"),
    Tag("cozy", "a cozy room with warm light", "cozy, warm music", (-0.6, 0.6, -0.8, 0.5, -0.5, 0.1)),
)
_SCENES: Final = (
    Tag("forest", "a forest", "music for a walk in a forest", (-0.5, 0.3, -0.3, 0.9, 0.2, 0.0), "nature"),
    Tag("mountains", "mountains", "music for wide mountains", (-0.3, 0.3, 0.0, 0.7, 0.8, -0.3), "nature"),
    Tag("meadow", "a meadow with flowers", "gentle pastoral music", (-0.6, 0.6, -0.6, 0.8, 0.0, 0.2), "nature"),
    Tag("desert", "a desert", "music for a wide desert", (-0.4, 0.0, 0.1, 0.6, 0.5, -0.3), "east"),
    Tag("snow", "a snowy landscape", "cold winter music", (-0.4, 0.2, -0.1, 0.5, 0.3, 0.0), "nature"),
    Tag("storm", "a thunderstorm", "stormy, thundering music", (0.6, -0.4, 0.8, 0.3, 0.7, -0.5), "nature"),
    Tag("rain", "rain on a window", "music for a rainy day", (-0.6, -0.2, -0.2, 0.3, -0.2, -0.2)),
    Tag("sunset", "a sunset", "music for a sunset", (-0.5, 0.4, -0.5, 0.2, 0.3, -0.1), "nature"),
    Tag("night sky", "the night sky with stars", "starry ambient music", (-0.7, 0.2, -0.2, -0.3, 0.6, -0.3), "space"),
    Tag("animals", "wild animals", "music for a nature documentary", (0.0, 0.3, 0.0, 0.8, 0.3, 0.1), "nature"),
    Tag("pets", "a cute dog or cat", "cute, happy music", (0.1, 0.8, -0.6, 0.3, -0.4, 0.8), "children"),
    Tag("beach", "a sunny beach", "summer beach music", (0.2, 0.8, -0.6, 0.3, 0.0, 0.4), "sea"),
    Tag("ocean", "the open ocean", "music of the wide ocean", (-0.3, 0.2, 0.0, 0.5, 0.7, -0.3), "sea"),
    Tag("under water", "an underwater scene", "floating underwater music", (-0.6, 0.1, 0.0, -0.1, 0.3, -0.1), "sea"),
    Tag("ship", "a sailing ship", "a sea shanty or pirate music", (0.3, 0.3, 0.1, 0.7, 0.5, 0.3), "sea"),
    Tag("city", "a modern city street", "urban music", (0.3, 0.1, 0.1, -0.4, 0.0, 0.0), "city"),
    Tag(
        "city at night", "neon lights at night", "night drive synthwave music", (0.3, 0.1, 0.2, -0.8, 0.1, 0.0), "city"
    ),
    Tag("traffic", "cars on a road", "driving music", (0.5, 0.2, 0.1, -0.4, 0.0, 0.0), "machine"),
    Tag("car race", "a car race", "fast racing music", (1.0, 0.3, 0.5, -0.6, 0.1, 0.1), "sport"),
    Tag("sports", "athletes in a stadium", "energetic sports music", (0.9, 0.5, 0.2, -0.2, 0.4, 0.1), "sport"),
    Tag(
        "extreme sports",
        "skateboarding or surfing",
        "punk or action sports music",
        (0.9, 0.5, 0.2, -0.1, 0.0, 0.4),
        "sport",
    ),
    Tag("workout", "somebody in a gym", "workout music with a hard beat", (0.9, 0.3, 0.2, -0.6, 0.1, 0.0), "sport"),
    Tag("dance", "people dancing", "dance music", (0.8, 0.7, -0.2, -0.4, -0.1, 0.5)),
    Tag("party", "a party in a club", "party music", (0.9, 0.7, -0.2, -0.6, -0.1, 0.4), "city"),
    Tag("concert", "a concert on a stage", "a live concert with a crowd", (0.7, 0.5, 0.1, 0.1, 0.3, 0.1)),
    Tag("wedding", "a wedding", "wedding music", (-0.2, 0.9, -0.5, 0.5, 0.4, 0.0), "love"),
    Tag(
        "christmas", "a Christmas tree", "Christmas music with sleigh bells", (0.0, 0.8, -0.5, 0.5, 0.1, 0.5), "festive"
    ),
    Tag(
        "celebration",
        "fireworks and celebration",
        "festive celebration music",
        (0.7, 0.9, -0.3, 0.1, 0.6, 0.4),
        "festive",
    ),
    Tag("parade", "a parade with flags", "a marching band", (0.6, 0.6, 0.0, 0.4, 0.7, 0.2), "festive"),
    Tag("children", "children playing", "children's music", (0.3, 0.9, -0.6, 0.3, -0.4, 0.9), "children"),
    Tag("cartoon", "a cartoon", "cartoon music", (0.5, 0.7, -0.1, 0.2, -0.2, 1.0), "children"),
    Tag("toys", "toys", "toy instruments and music box", (-0.1, 0.7, -0.5, 0.2, -0.5, 0.9), "children"),
    Tag("cooking", "cooking food in a kitchen", "light acoustic background music", (0.0, 0.6, -0.5, 0.3, -0.4, 0.3)),
    Tag("home", "a living room", "soft background music", (-0.5, 0.4, -0.6, 0.3, -0.5, 0.0)),
    Tag(
        "office",
        "people at work in an office",
        "corporate background music",
        (0.2, 0.5, -0.3, -0.3, 0.0, 0.1),
        "machine",
    ),
    Tag(
        "technology",
        "computers and technology",
        "technology music with synthesizers",
        (0.3, 0.2, 0.1, -0.9, 0.1, 0.0),
        "machine",
    ),
    Tag("factory", "machines in a factory", "industrial music", (0.6, -0.3, 0.5, -0.8, 0.2, -0.4), "machine"),
    Tag(
        "space", "a spaceship in outer space", "science fiction space music", (-0.2, 0.0, 0.2, -0.7, 0.8, -0.3), "space"
    ),
    Tag(
        "science fiction",
        "a futuristic robot city",
        "futuristic electronic music",
        (0.3, -0.1, 0.3, -0.9, 0.5, -0.1),
        "space",
    ),
    Tag("war", "soldiers in a war", "military war music", (0.7, -0.6, 0.8, 0.0, 0.7, -0.8), "war"),
    Tag("fight", "a sword fight", "battle music", (0.9, -0.3, 0.8, 0.1, 0.6, -0.3), "war"),
    Tag(
        "shooting game",
        "a first person shooter game",
        "intense shooter game music",
        (0.9, -0.4, 0.9, -0.6, 0.3, -0.4),
        "war",
    ),
    Tag("chase", "a chase", "chase music", (1.0, -0.2, 0.9, -0.2, 0.2, 0.0), "crime"),
    Tag("crime", "a detective at a crime scene", "crime thriller music", (0.0, -0.5, 0.7, -0.1, 0.0, -0.4), "crime"),
    Tag("medieval", "a medieval castle", "medieval music with lutes", (0.0, 0.2, 0.1, 0.9, 0.4, 0.1), "fable"),
    Tag("fantasy", "a fantasy world with dragons", "fantasy adventure music", (0.3, 0.3, 0.2, 0.5, 0.8, 0.2), "fable"),
    Tag(
        "western",
        "a cowboy on a horse",
        "western music with guitar and whistling",
        (0.2, 0.1, 0.3, 0.8, 0.3, 0.0),
        "west",
    ),
    Tag("church", "the inside of a church", "church music", (-0.6, 0.1, -0.1, 0.6, 0.8, -0.7), "sacred"),
    Tag("ruins", "ancient ruins", "ancient, mystic music", (-0.5, -0.2, 0.3, 0.5, 0.6, -0.4), "past"),
    Tag(
        "old film",
        "an old black and white film",
        "old music from a gramophone",
        (0.1, 0.3, -0.1, 0.6, -0.2, 0.4),
        "past",
    ),
    Tag(
        "retro game",
        "a pixel art video game",
        "chiptune 8-bit game music",
        (0.6, 0.6, 0.0, -0.9, -0.3, 0.8),
        "children",
    ),
    Tag(
        "puzzle game",
        "a colourful puzzle game",
        "light puzzle game music",
        (-0.1, 0.6, -0.4, -0.2, -0.4, 0.6),
        "children",
    ),
    Tag("travel", "travelling through landscapes", "travel music", (0.4, 0.7, -0.3, 0.3, 0.3, 0.2)),
    Tag("flight", "an aerial view from high above", "soaring music", (0.3, 0.4, 0.0, 0.0, 0.8, 0.0)),
    Tag("fashion", "a fashion show", "fashion runway house music", (0.5, 0.3, 0.0, -0.7, -0.1, 0.1), "city"),
)
_GENRES: Final = (
    Tag("rock", "a rock band on stage", "rock music", (0.7, 0.1, 0.4, 0.1, 0.1, -0.1)),
    Tag("hard rock", "a wild rock guitarist", "hard rock music", (0.9, 0.0, 0.6, 0.0, 0.2, -0.2)),
    Tag("metal", "a heavy metal band", "heavy metal music", (1.0, -0.5, 0.9, -0.2, 0.4, -0.5)),
    Tag("punk", "a punk concert", "punk rock music", (0.9, 0.1, 0.5, 0.0, -0.3, 0.2)),
    Tag("pop", "a pop singer", "pop music", (0.4, 0.6, -0.2, -0.2, -0.1, 0.3)),
    Tag("indie", "young people with guitars", "indie folk pop music", (0.1, 0.4, -0.2, 0.5, -0.2, 0.2)),
    Tag("folk", "a folk singer with a guitar", "acoustic folk music", (-0.3, 0.2, -0.3, 0.9, -0.3, 0.1)),
    Tag("country", "a farm with a pickup truck", "country music", (0.2, 0.4, -0.2, 0.7, -0.3, 0.2), "west"),
    Tag("blues", "a blues bar", "blues music", (0.0, -0.2, 0.0, 0.6, -0.3, 0.0), "past"),
    Tag("jazz", "a jazz club", "jazz music", (0.0, 0.3, -0.1, 0.6, -0.2, 0.3), "city"),
    Tag("swing", "swing dancers", "swing big band music", (0.6, 0.8, -0.2, 0.5, 0.0, 0.7), "past"),
    Tag("soul", "a soul singer", "soul and rhythm and blues music", (0.1, 0.3, -0.2, 0.3, -0.1, 0.1)),
    Tag("funk", "a colourful funk band", "funk music", (0.6, 0.6, -0.2, 0.1, -0.2, 0.6)),
    Tag("disco", "a disco ball", "disco music", (0.8, 0.8, -0.3, -0.4, -0.1, 0.6), "past"),
    Tag("hip hop", "a rapper with graffiti", "hip hop music with rap", (0.5, 0.0, 0.2, -0.5, -0.2, 0.1), "city"),
    Tag("trap", "luxury cars and money", "trap music with heavy bass", (0.5, -0.2, 0.4, -0.8, -0.1, -0.1), "city"),
    Tag("lo-fi", "somebody studying at a desk at night", "lo-fi hip hop music", (-0.5, 0.2, -0.7, -0.2, -0.5, 0.0)),
    Tag("reggae", "palm trees and dreadlocks", "reggae music", (0.1, 0.6, -0.6, 0.2, -0.3, 0.3), "latin"),
    Tag("latin", "a Latin American carnival", "Latin music", (0.7, 0.8, -0.2, 0.4, 0.0, 0.5), "latin"),
    Tag("tango", "a couple dancing tango", "tango music", (0.2, 0.0, 0.3, 0.7, 0.0, 0.0), "latin"),
    Tag("bossa nova", "a café by the sea in Brazil", "bossa nova music", (-0.3, 0.5, -0.6, 0.6, -0.4, 0.2), "latin"),
    Tag("celtic", "green Irish hills", "Celtic music with fiddle", (0.3, 0.4, -0.1, 0.9, 0.2, 0.3), "fable"),
    Tag("asian", "an East Asian temple", "traditional East Asian music", (-0.4, 0.2, -0.1, 0.8, 0.2, -0.1), "east"),
    Tag("arabic", "an Arabian market", "Arabic music", (0.2, 0.0, 0.2, 0.7, 0.2, 0.0), "east"),
    Tag("indian", "an Indian festival", "Indian music with sitar and tabla", (0.2, 0.3, 0.0, 0.7, 0.2, 0.1), "east"),
    Tag("african", "an African village", "African drums and singing", (0.6, 0.6, 0.0, 0.7, 0.1, 0.3), "nature"),
    Tag("classical", "a symphony orchestra", "classical music", (-0.2, 0.1, 0.0, 0.8, 0.6, -0.2)),
    Tag("baroque", "a baroque palace", "baroque music with harpsichord", (0.1, 0.3, 0.0, 0.8, 0.4, 0.1), "past"),
    Tag("opera", "an opera singer", "opera singing", (0.1, 0.0, 0.3, 0.6, 0.9, -0.3)),
    Tag("film score", "a cinematic scene", "an orchestral film score", (0.2, 0.1, 0.3, 0.4, 0.9, -0.3)),
    Tag("trailer", "a movie trailer title", "trailer music with big drums", (0.8, -0.1, 0.8, -0.1, 1.0, -0.5)),
    Tag("ambient", "abstract soft light", "ambient music", (-0.9, 0.0, -0.3, -0.4, 0.3, -0.5)),
    Tag("techno", "a techno rave with lasers", "techno music", (0.9, 0.1, 0.3, -1.0, -0.1, 0.0)),
    Tag("house", "a DJ in a club", "house music", (0.8, 0.5, 0.0, -0.9, -0.1, 0.2)),
    Tag("trance", "a festival crowd with lights", "trance music", (0.8, 0.4, 0.1, -0.9, 0.4, 0.0)),
    Tag("drum and bass", "a fast ride through a tunnel", "drum and bass music", (1.0, 0.0, 0.5, -0.9, 0.0, 0.0)),
    Tag("dubstep", "giant robots fighting", "dubstep music", (0.9, -0.3, 0.7, -1.0, 0.2, 0.0), "machine"),
    Tag("synthwave", "an 80s neon grid", "80s synthwave music", (0.5, 0.3, 0.1, -0.9, 0.2, 0.1), "past"),
)
_ENERGIES: Final = (
    Tag("calm", "a still, calm scene", "calm, quiet music", (-1.0, 0.3, -0.8, 0.2, -0.1, -0.2)),
    Tag("slow", "slow motion", "slow music", (-0.8, 0.0, -0.3, 0.1, 0.1, -0.3)),
    Tag("gentle motion", "gentle movement", "music with a gentle pulse", (-0.3, 0.4, -0.4, 0.2, -0.1, 0.1)),
    Tag("lively", "a lively crowd", "lively, upbeat music", (0.6, 0.7, -0.1, 0.1, 0.0, 0.5)),
    Tag("fast", "very fast movement, motion blur", "fast music", (1.0, 0.2, 0.4, -0.1, 0.0, 0.2)),
    Tag("intense", "an intense action scene", "intense, powerful music", (0.9, -0.2, 0.8, -0.2, 0.4, -0.4)),
    Tag("loud", "a bright explosion of fire", "loud, distorted music", (0.9, -0.2, 0.6, -0.3, 0.3, -0.2)),
    Tag("rising", "somebody climbing to the top", "music that builds up", (0.5, 0.3, 0.5, -0.1, 0.6, -0.1)),
    Tag("sparse", "an empty, minimal picture", "sparse, minimal music", (-0.8, 0.0, 0.0, 0.0, -0.4, -0.3)),
    Tag("dense", "a crowded, busy picture", "dense, busy music", (0.6, 0.1, 0.3, -0.1, 0.3, 0.1)),
)
_INSTRUMENTS: Final = (
    Tag("piano", "a piano", "a solo piano", (-0.4, 0.1, -0.2, 0.6, -0.1, 0.0)),
    Tag("acoustic guitar", "an acoustic guitar", "an acoustic guitar", (-0.2, 0.4, -0.4, 0.9, -0.4, 0.1)),
    Tag("electric guitar", "an electric guitar", "an electric guitar", (0.7, 0.0, 0.4, 0.0, 0.1, -0.1)),
    Tag("strings", "violins in an orchestra", "a string orchestra", (-0.2, 0.0, 0.1, 0.8, 0.7, -0.3)),
    Tag("violin", "a violinist", "a solo violin", (-0.2, -0.1, 0.1, 0.8, 0.3, -0.2)),
    Tag("cello", "a cellist", "a solo cello", (-0.5, -0.3, 0.1, 0.8, 0.3, -0.4)),
    Tag("harp", "a harp", "a harp", (-0.5, 0.4, -0.5, 0.8, 0.2, 0.1), "fable"),
    Tag("flute", "somebody playing a flute", "a flute", (-0.4, 0.4, -0.4, 0.8, 0.0, 0.2), "nature"),
    Tag("brass", "trumpets and horns", "a brass band", (0.5, 0.4, 0.2, 0.5, 0.8, 0.1)),
    Tag("saxophone", "a saxophonist", "a saxophone", (0.1, 0.2, -0.1, 0.5, -0.1, 0.1), "city"),
    Tag("organ", "a church organ", "a church organ", (-0.2, 0.0, 0.2, 0.5, 0.9, -0.5), "sacred"),
    Tag("accordion", "an accordion player in Paris", "an accordion", (0.1, 0.5, -0.2, 0.8, -0.2, 0.4), "past"),
    Tag("bells", "bells", "bells and glockenspiel", (-0.2, 0.5, -0.2, 0.4, 0.0, 0.5), "festive"),
    Tag("drums", "a drummer", "drums and percussion", (0.7, 0.1, 0.3, 0.1, 0.2, 0.1)),
    Tag("synthesizer", "a synthesizer", "a synthesizer", (0.2, 0.1, 0.1, -0.9, 0.1, 0.1), "machine"),
    Tag("choir", "a choir", "a choir singing", (-0.2, 0.1, 0.1, 0.6, 0.9, -0.4), "sacred"),
    Tag("voice", "somebody singing", "a singing voice", (0.1, 0.2, 0.0, 0.2, 0.0, 0.0)),
)
KINDS: Final[Mapping[str, tuple[Tag, ...]]] = {
    "mood": _MOODS,
    "scene": _SCENES,
    "genre": _GENRES,
    "energy": _ENERGIES,
    "instrument": _INSTRUMENTS,
}
TAGS: Final = tuple(tag for tags in KINDS.values() for tag in tags)
TAG_NAMES: Final = tuple(tag.name for tag in TAGS)
