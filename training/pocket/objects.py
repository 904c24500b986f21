"""The vocabulary: every thing pocket can draw, its artwork and the words people use for it."""

from __future__ import annotations

from dataclasses import dataclass

# icon | names, the first is canonical | natural adjectives. The icon is from fluent-emoji-flat unless "noto:" says so.
_TABLE: dict[str, str] = {
    "animal": """
fox | fox | red, orange
cat | cat, kitty, kitten | orange, ginger
dog | dog, puppy, doggy | brown
horse | horse, pony | brown
cow | cow, cattle | spotted
pig | pig, piglet | pink
ewe | sheep, lamb | white, woolly
elephant | elephant | grey
lion | lion | golden
tiger | tiger | orange, striped
bear | bear, brown bear, grizzly bear | brown
panda | panda, panda bear | black and white
polar-bear | polar bear, white bear | white
monkey | monkey, chimp | brown
giraffe | giraffe | tall, spotted
zebra | zebra | striped
rabbit | rabbit, bunny, hare | white
frog | frog, toad | green
turtle | turtle, tortoise | green
snake | snake, serpent | green
bird | bird, songbird | red
duck | duck, mallard | green
owl | owl | brown
penguin | penguin | black and white
flamingo | flamingo | pink
rooster | rooster, chicken, hen | brown
fish | fish | blue
dolphin | dolphin | blue
spouting-whale | whale | blue
crab | crab | red
butterfly | butterfly | orange
honeybee | bee, honeybee, bumblebee | yellow
lady-beetle | ladybug, ladybird, lady beetle | red
spider | spider | purple, black
""",
    "food": """
red-apple | apple | red
banana | banana | yellow
lemon | lemon | yellow
grapes | grapes, bunch of grapes | purple
strawberry | strawberry | red
cherries | cherries, cherry | red
watermelon | watermelon, watermelon slice | red
pineapple | pineapple, ananas | yellow
carrot | carrot | orange
bread | bread, loaf of bread, toast | fresh
cheese-wedge | cheese, piece of cheese | yellow
egg | egg, boiled egg | white
hamburger | burger, hamburger, cheeseburger | tasty
pizza | pizza, slice of pizza | tasty
doughnut | donut, doughnut | pink
birthday-cake | birthday cake, cake | sweet
soft-ice-cream | ice cream, ice cream cone | sweet
hot-beverage | coffee, cup of coffee, tea, cup of tea | hot
""",
    "vehicle": """
automobile | car, automobile | red
bus | bus | yellow
delivery-truck | truck, lorry, delivery truck | yellow
tractor | tractor | green
motorcycle | motorcycle, motorbike | red
bicycle | bicycle, bike | pink
locomotive | steam train, locomotive, train | black
helicopter | helicopter, chopper | orange
airplane | airplane, plane, aeroplane, jet | blue
rocket | rocket, spaceship, space rocket | red
sailboat | sailboat, boat, sailing boat | white
""",
    "building": """
house | house, home | cosy
castle | castle, fortress | grey
church | church, chapel | white
office-building | office building, skyscraper, tower block | tall
tent | tent, camping tent | green
noto:lighthouse | lighthouse | white
""",
    "plant": """
deciduous-tree | tree, oak tree | green
evergreen-tree | pine tree, fir tree, evergreen tree | green
palm-tree | palm tree, coconut tree | green
christmas-tree | christmas tree | decorated
cactus | cactus | green
sunflower | sunflower | yellow
rose | rose | red
tulip | tulip | pink
mushroom | mushroom, toadstool | red
""",
    "thing": """
hammer | hammer | iron
scissors | scissors, pair of scissors | red
key | key | golden
locked | padlock, lock | golden
light-bulb | light bulb, lightbulb, lamp | yellow
candle | candle | white
alarm-clock | alarm clock, clock | red
mobile-phone | phone, mobile phone, smartphone | black
laptop | laptop, computer, notebook computer | grey
camera | camera | black
television | television, tv | old
guitar | guitar | red
soccer-ball | football, soccer ball | black and white
basketball | basketball | orange
balloon | balloon | red
wrapped-gift | gift, present, wrapped gift | yellow
teddy-bear | teddy bear, teddy, stuffed bear | brown
robot | robot, android | friendly, grey
umbrella | umbrella, parasol | purple
crown | crown | golden
glasses | glasses, spectacles, eyeglasses | black
t-shirt | t-shirt, shirt, tshirt | green
dress | dress | blue
running-shoe | shoe, sneaker, running shoe | grey
trophy | trophy, winner cup | golden
pencil | pencil | orange
books | books, pile of books, stack of books | colourful
chair | chair | wooden
bed | bed | cosy
jack-o-lantern | jack o lantern, halloween pumpkin, pumpkin | orange
ghost | ghost | spooky white
snowman | snowman | white
""",
    "weather": """
sun | sun | bright yellow
crescent-moon | crescent moon, moon, half moon | yellow
ringed-planet | planet, ringed planet, saturn | orange
cloud | cloud | white
rainbow | rainbow | colourful
high-voltage | lightning, lightning bolt, thunderbolt | yellow
snowflake | snowflake | blue
fire | fire, flame, flames | hot
""",
}


@dataclass(frozen=True)
class Thing:
    """One drawable thing: ``names[0]`` is canonical; ``icon`` is ``set:icon``."""

    kind: str
    icon: str
    names: tuple[str, ...]
    adjectives: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.names[0]


def _parse() -> tuple[Thing, ...]:
    things = []
    for kind, rows in _TABLE.items():
        for row in rows.strip().splitlines():
            icon, names, adjectives = (cell.strip() for cell in row.split("|"))
            icon = icon if ":" in icon else f"fluent-emoji-flat:{icon}"
            words = [tuple(w.strip() for w in cell.split(",") if w.strip()) for cell in (names, adjectives)]
            things.append(Thing(kind, icon, words[0], words[1]))
    return tuple(things)


THINGS: tuple[Thing, ...] = _parse()
NAMES: tuple[str, ...] = tuple(thing.name for thing in THINGS)

#: names that are plural already or have no article
MASS = {
    "grapes",
    "cherries",
    "fries",
    "french fries",
    "chips",
    "scissors",
    "glasses",
    "spectacles",
    "eyeglasses",
    "books",
    "flames",
    "cattle",
    "bread",
    "toast",
    "corn",
    "maize",
    "broccoli",
    "cheese",
    "sushi",
    "coffee",
    "tea",
    "beer",
    "wine",
    "fire",
    "lightning",
    "saturn",
    "earth",
    "planet earth",
    "candy",
}

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (222, 44, 44),
    "orange": (246, 139, 31),
    "yellow": (250, 214, 42),
    "green": (52, 160, 72),
    "blue": (40, 98, 214),
    "purple": (128, 62, 178),
    "pink": (246, 150, 190),
    "brown": (128, 82, 48),
    "black": (22, 22, 26),
    "white": (252, 252, 252),
    "grey": (142, 146, 150),
    "turquoise": (48, 196, 190),
}
COLOUR_NAMES = tuple(COLOURS)
COLOUR_WORDS = {"grey": ("grey", "gray"), "turquoise": ("turquoise", "teal", "cyan"), "purple": ("purple", "violet")}
SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond", "rectangle", "oval")
SHAPE_WORDS = {"circle": ("circle", "disc", "ball"), "oval": ("oval", "ellipse"), "diamond": ("diamond", "rhombus")}
