"""The words of captions: how people say where, when, how many and in what style."""

from __future__ import annotations


def _phrases(text: str) -> tuple[str, ...]:
    """Phrases separated by commas; line breaks do not matter."""
    return tuple(phrase.strip() for phrase in text.split(","))


PREFIXES = _phrases("""
    a picture of, an image of, a drawing of, an illustration of, a photo of, a photograph of, clip art of,
    a painting of, draw, show me, a cartoon of, an icon of, please draw, generate a picture of, i want to see""")
SUFFIXES = _phrases("""
    highly detailed, high quality, simple, flat design, clip art, 4k, beautiful, vivid colours, minimalist,
    digital art, cartoon style, sharp focus, masterpiece, illustration""")
MOODS = _phrases("cute, happy, funny, beautiful, nice, lovely, pretty, single, lonely, friendly, old, new")
DOING = {
    "animal": _phrases("sitting, standing, running, playing, sleeping, walking, resting, jumping, looking around"),
    "vehicle": _phrases("parked, driving, moving, waiting, speeding"),
    "food": _phrases("lying, served, placed"),
    "building": _phrases("standing, built"),
    "plant": _phrases("growing, blooming, standing"),
    "thing": _phrases("lying, placed, standing, left"),
    "weather": _phrases("shining, floating, high up"),
}
SIZE_WORDS = {
    "small": _phrases("small, little, tiny"),
    "large": _phrases("big, large, huge, giant"),
}
PLACES = {
    "sky": _phrases("in the sky, under a {sky} sky, against the sky, with a {sky} sky, in the air"),
    "snow": _phrases(
        "in the snow, in snow, on snow, in a snowy field, in winter, on a snowy hill, in a snowy landscape"
    ),
    "grass": _phrases(
        "on grass, on the grass, in a meadow, in a green field, on a lawn, in a field, in the countryside"
    ),
    "park": _phrases("in a park, in the park, in a garden, in the garden, on a path in the park"),
    "beach": _phrases("on the beach, at the beach, on a sandy beach, by the sea, on the seaside, at the coast"),
    "sea": _phrases("in the sea, on the sea, in the ocean, on the ocean, in the water, on the water, over the sea"),
    "desert": _phrases("in the desert, in a desert, on sand dunes, in the sahara, on a dune"),
    "mountains": _phrases("""
        in the mountains, in front of mountains, over mountains, with mountains behind, near a mountain,
        over a mountain range, in an alpine landscape"""),
    "forest": _phrases("in a forest, in the forest, in the woods, among trees, in a pine forest"),
    "city": _phrases(
        "in the city, in a city, in town, in front of a skyline, on a city street, downtown, in the street"
    ),
    "room": _phrases("""
        on a windowsill, on the windowsill, by the window, in a room, in the house, indoors, at home,
        in front of a window, on a window sill, in the living room"""),
}
SCENERY = {
    "sky": _phrases("the sky, sky, the open sky"),
    "snow": _phrases("snow, a snowy landscape, a winter landscape, a snowy field"),
    "grass": _phrases("a meadow, a green field, grass, a grassy field"),
    "park": _phrases("a park, the park, a garden, a path with trees"),
    "beach": _phrases("a beach, the beach, a sandy beach, the coast"),
    "sea": _phrases("the sea, the ocean, an ocean, sea and waves"),
    "desert": _phrases("a desert, the desert, sand dunes"),
    "mountains": _phrases(
        "mountains, a mountain, a mountain range, the mountains, an alpine landscape, snowy mountains"
    ),
    "forest": _phrases("a forest, the woods, a pine forest, the forest"),
    "city": _phrases("a city, a city skyline, the city, skyscrapers, a town, a street"),
    "room": _phrases("a window, a room with a window, a windowsill, a living room, an empty room"),
}
TIMES = {
    "day": _phrases(", , , , during the day, in the daytime, on a sunny day, at noon"),
    "sunset": _phrases("at sunset, at dusk, in the evening, at sunrise, during sunset, at dawn, in the sunset"),
    "night": _phrases("at night, by night, at midnight, in the night, under the stars, in the moonlight"),
}
SUNSETS = {
    "sky": _phrases("a sunset, sunset, a sunrise, a sunset sky, an orange sunset"),
    "sea": _phrases("a sunset over the sea, sunset over the ocean"),
    "mountains": _phrases("""
        a sunset over mountains, sunset over a mountain range, a sunset over the mountains,
        a sunrise over mountains"""),
    "city": _phrases("a sunset over the city, sunset over a city"),
}
NIGHTS = {
    "sky": _phrases("the night sky, a night sky, a starry sky, stars in the sky, a starry night, night"),
    "city": _phrases("a city at night, city lights"),
}
COLOUR_GROUNDS = _phrases("""
    on a {} background, on a {} ground, on {}, against a {} background, with a {} background,
    in front of a {} background, on a plain {} background, over a {} backdrop, on a solid {} background""")
CELL_PHRASES = {
    "left": _phrases("on the left, on the left side, at the left"),
    "right": _phrases("on the right, on the right side"),
    "top": _phrases("at the top, on top"),
    "bottom": _phrases("at the bottom, down at the bottom"),
    "centre": _phrases("in the middle, in the center, in the centre"),
}
RELATION_PHRASES = {
    "above": _phrases("above, over, on top of"),
    "below": _phrases("below, under, beneath, underneath"),
    "left of": _phrases("to the left of, left of"),
    "right of": _phrases("to the right of, right of"),
}
SKETCHES = _phrases("a sketch of, a pencil sketch of, a pencil drawing of, a black and white sketch of")
NUMBERS = _phrases("two, a pair of, a couple of, 2, two, ")
