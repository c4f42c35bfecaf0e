"""The outputs of the two imported networks as words, and what each word means for the match.

Pictures come as 1000 kinds of things (ImageNet-1k, in its usual order); for the choice of music many of them mean the
same, so they are put in groups. Music comes as 2 x 50 tags. Both have places on the same axes, each from -1 to 1:
written by hand, from the meaning of the words and not from any result. ``export.fusion`` chooses how much they count.
"""

from collections.abc import Mapping
from typing import Final

AXES: Final = ("energy", "valence", "tension", "organic", "grand", "playful")

# Tags of the two networks in the order of their outputs.
MTT_TAGS: Final = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano", "ambient",
    "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing", "vocals", "no vocals",
    "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man",
    "classic", "choir", "voice", "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello",
    "no voice", "weird", "country", "metal", "female voice", "choral",
)  # fmt: skip
MSD_TAGS: Final = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s", "alternative rock", "jazz",
    "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul", "indie rock", "mellow", "electronica",
    "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic",
    "experimental", "female vocalist", "guitar", "hip-hop", "70s", "party", "country", "easy listening", "sexy",
    "catchy", "funk", "electro", "heavy metal", "progressive rock", "60s", "rnb", "indie pop", "sad", "house", "happy",
)  # fmt: skip

# The tags of MTT for singing, and those for no singing.
SUNG: Final = ("vocal", "female", "male", "singing", "vocals", "woman", "male vocal", "man", "choir", "voice",
               "male voice", "female vocal", "female voice", "choral", "opera")  # fmt: skip
UNSUNG: Final = ("no vocals", "no vocal", "no voice")

# Group -> the kinds in it, as numbers and spans of numbers, both ends included. A kind may be in several groups.
GROUPS: Final[Mapping[str, str]] = {
    "under water": "0-6 107-126 147-150 327-329 389-397 801 833 973 983",
    "birds": "7-24 80-100 127-146 448",
    "creeping things": "25-79 113-114 300-320 815",
    "flowers and butterflies": "308-309 321-326 580 599 738 984-986 883",
    "dogs": "151-268 537",
    "predators": "269-280 286-299 48-50",
    "pets": "281-285 330-333 335 338",
    "herds": "101-106 339-355 385-388",
    "monkeys and small beasts": "334 336-337 356-384",
    "food": "415 467 509 582 762 923-957 959-969",
    "kitchen": "412 440-441 463 469 473 499 503-505 512 521 544 550 567 572 618 647 651 653 659 737 766 773 809 813 "
    "827-828 849 859 868 891 898-899 901 907 909-910 760 534",
    "woods and fields": "410 425 580 595 603 634 690 716 730 853 856 866 912 915 947 958 984 987-998",
    "mountains": "500 672 970 972 974 976 979 980 349-350",
    "shore": "437 449 460 525 536 718 975 977-978 433 445 638-639 842 419",
    "boats": "472 484 510 554 576 625 628 693-694 724 780 814 871 913-914 536",
    "races": "450 479 511 518 573 665 670-671 751 802 814 817 535",
    "traffic": "407 436 466 468 475 547 555 565 569 581 609 627 654 656 661 675 685 704-705 717 734 757 779 785 820 "
    "829 864 867 874 919-920",
    "flight": "404-405 417 701 727 744 755 807 812 895 908",
    "weapons": "403 413 465 471 570 583 586 597 623 652 657 744 763-764 833 847 895",
    "armour": "439 456 461 490 524 677 715 777 787 596",
    "monuments": "406 442 483 497 500 538 562 649 663 668 682 698 708 743 825 832 858 863 873 884",
    "city": "424 454 498 582 637 640 703 733 762 788 821 829 839 860 874 877 888 900 919-920",
    "home": "421 423 431 435 453 493 495 516 520 526 532 548 553 559 564 588 606 619 624 648 697 721 750 765 794 799 "
    "831 846 857 861 876 892 894 896-897 904-905 850",
    "screens": "480 482 485 487 508 527 530 548 590 592 598 605 613 620 662 664 673 681 688 742 745 754 761 781-782 "
    "810 844 848 851 878 916",
    "print and drawing": "549 611 646 692 696 767 769 917-918 921-922 563 418",
    "toys and sweets": "417 476 607 643 719 722-723 800 843 850 865 870 927-929 971 509 584",
    "sport": "416 422 429-430 522 543 560 574-575 602 615 702 722 736 746-747 752 768 770 795 805 852 880 890 981",
    "stage": "401-402 420 432 486 494 513 541-542 546 558 566 577 579 593-594 632 641-642 650 683-684 687 699 776 818 "
    "819 822 854 875 881 889",
    "clothes": "399-400 411 443 451-452 457 459 474 496 502 514-515 529 552 568 578 585 601 608 610 614 617 629-631 "
    "655 658 667 679 689 711 735 748 774-775 806 808 824 834 836-837 841 869 887 903 906 982",
    "lights in the dark": "470 607 626 644 818 862 846 619 107 980",
    "machines": "426-428 477 488-489 491 506-507 517 540 545 561 587 596 621 634 677 686 695 726 739-740 753 758 "
    "783-784 786 792 811 816 867 882 886 409 604 826 892 771",
    "science": "438 447 617 635 691 712 720 727 732 755 759 807 823 830 835 845 872",
    "snow": "248-250 258 279 296 450 537 795-796 802-803 970",
}

# Group -> its place on AXES.
SCENES: Final[Mapping[str, tuple[float, ...]]] = {
    "under water": (-0.5, 0.1, 0.0, 0.2, 0.3, -0.1),
    "birds": (-0.3, 0.3, -0.3, 0.8, 0.1, 0.1),
    "creeping things": (0.0, -0.4, 0.6, 0.4, -0.1, -0.2),
    "flowers and butterflies": (-0.6, 0.6, -0.6, 0.8, -0.1, 0.2),
    "dogs": (0.1, 0.6, -0.3, 0.5, -0.3, 0.5),
    "predators": (0.3, -0.2, 0.6, 0.6, 0.4, -0.4),
    "pets": (-0.2, 0.6, -0.5, 0.4, -0.4, 0.6),
    "herds": (-0.1, 0.2, -0.1, 0.8, 0.4, -0.2),
    "monkeys and small beasts": (0.1, 0.3, 0.0, 0.6, -0.1, 0.5),
    "food": (-0.1, 0.6, -0.5, 0.3, -0.4, 0.3),
    "kitchen": (-0.1, 0.2, -0.2, 0.1, -0.5, 0.1),
    "woods and fields": (-0.5, 0.3, -0.3, 0.9, 0.2, 0.0),
    "mountains": (-0.3, 0.2, 0.0, 0.7, 0.8, -0.3),
    "shore": (-0.5, 0.5, -0.5, 0.5, 0.3, 0.0),
    "boats": (0.0, 0.3, 0.0, 0.4, 0.5, 0.0),
    "races": (0.9, 0.3, 0.4, -0.6, 0.0, 0.2),
    "traffic": (0.4, 0.0, 0.1, -0.5, -0.1, 0.0),
    "flight": (0.3, 0.3, 0.1, -0.3, 0.7, 0.1),
    "weapons": (0.6, -0.6, 0.9, -0.4, 0.4, -0.5),
    "armour": (0.4, -0.3, 0.5, 0.3, 0.7, -0.2),
    "monuments": (-0.4, 0.0, 0.0, 0.4, 0.8, -0.4),
    "city": (0.3, 0.2, 0.0, -0.4, 0.0, 0.0),
    "home": (-0.4, 0.3, -0.3, 0.1, -0.5, 0.0),
    "screens": (0.3, 0.0, 0.1, -0.9, -0.2, 0.1),
    "print and drawing": (0.2, 0.4, 0.0, -0.2, -0.1, 0.7),
    "toys and sweets": (0.3, 0.8, -0.4, 0.0, -0.2, 0.9),
    "sport": (0.8, 0.5, 0.2, -0.1, 0.2, 0.3),
    "stage": (0.4, 0.4, 0.0, 0.0, 0.4, 0.1),
    "clothes": (0.1, 0.3, -0.1, -0.1, -0.1, 0.1),
    "lights in the dark": (-0.3, -0.3, 0.4, 0.0, 0.3, -0.3),
    "machines": (0.3, -0.2, 0.3, -0.5, -0.1, -0.1),
    "science": (0.0, 0.0, 0.2, -0.5, 0.2, -0.2),
    "snow": (-0.1, 0.2, 0.0, 0.5, 0.4, 0.0),
}

# Tag -> its place on AXES, in either vocabulary; tags without a meaning on the axes are left out.
TAGS: Final[Mapping[str, tuple[float, ...]]] = {
    "guitar": (0.1, 0.1, 0.0, 0.5, -0.2, 0.0),
    "classical": (-0.3, 0.1, 0.0, 0.8, 0.6, -0.1),
    "classic": (-0.2, 0.1, 0.0, 0.6, 0.5, 0.0),
    "slow": (-0.9, -0.2, -0.3, 0.2, 0.1, -0.3),
    "techno": (0.9, 0.1, 0.3, -1.0, -0.1, 0.0),
    "strings": (-0.2, 0.0, 0.1, 0.8, 0.7, -0.2),
    "drums": (0.6, 0.1, 0.2, 0.0, 0.1, 0.1),
    "electronic": (0.3, 0.0, 0.1, -0.9, 0.0, 0.0),
    "rock": (0.7, 0.1, 0.4, 0.1, 0.1, -0.1),
    "fast": (0.9, 0.3, 0.3, 0.0, 0.0, 0.4),
    "piano": (-0.3, 0.0, -0.1, 0.5, -0.1, 0.0),
    "ambient": (-0.8, -0.1, -0.2, -0.3, 0.3, -0.5),
    "beat": (0.6, 0.2, 0.1, -0.5, -0.1, 0.1),
    "beats": (0.5, 0.1, 0.1, -0.6, -0.1, 0.1),
    "violin": (-0.1, 0.0, 0.1, 0.8, 0.5, -0.1),
    "synth": (0.1, 0.0, 0.1, -0.8, 0.0, 0.1),
    "indian": (0.0, 0.1, 0.0, 0.6, 0.1, 0.0),
    "sitar": (-0.1, 0.1, 0.0, 0.6, 0.1, 0.0),
    "opera": (0.1, 0.0, 0.3, 0.6, 0.9, -0.2),
    "harpsichord": (0.1, 0.2, 0.0, 0.7, 0.2, 0.3),
    "loud": (0.8, 0.0, 0.5, -0.2, 0.3, -0.1),
    "quiet": (-0.9, 0.0, -0.4, 0.3, -0.4, -0.2),
    "flute": (-0.4, 0.3, -0.3, 0.7, 0.0, 0.2),
    "pop": (0.4, 0.5, -0.2, -0.1, -0.1, 0.3),
    "soft": (-0.7, 0.2, -0.6, 0.3, -0.3, -0.1),
    "solo": (-0.4, 0.0, -0.1, 0.4, -0.6, 0.0),
    "choir": (-0.3, 0.1, 0.1, 0.6, 0.9, -0.3),
    "choral": (-0.3, 0.1, 0.1, 0.6, 0.9, -0.3),
    "new age": (-0.7, 0.3, -0.5, 0.1, 0.3, -0.2),
    "dance": (0.8, 0.6, -0.1, -0.6, -0.1, 0.3),
    "harp": (-0.5, 0.3, -0.5, 0.8, 0.1, 0.1),
    "cello": (-0.4, -0.2, 0.1, 0.8, 0.4, -0.3),
    "weird": (0.0, -0.3, 0.6, -0.3, 0.0, 0.2),
    "country": (0.2, 0.4, -0.2, 0.7, -0.3, 0.2),
    "metal": (1.0, -0.5, 0.9, -0.2, 0.3, -0.5),
    "alternative": (0.4, -0.1, 0.2, 0.0, 0.0, -0.1),
    "indie": (0.2, 0.1, 0.0, 0.3, -0.2, 0.1),
    "alternative rock": (0.6, -0.1, 0.3, 0.0, 0.1, -0.2),
    "jazz": (0.0, 0.3, -0.1, 0.6, -0.2, 0.3),
    "beautiful": (-0.5, 0.2, -0.4, 0.3, 0.3, -0.2),
    "chillout": (-0.6, 0.2, -0.7, -0.4, 0.0, -0.1),
    "chill": (-0.6, 0.2, -0.7, -0.2, -0.1, -0.1),
    "classic rock": (0.6, 0.2, 0.2, 0.3, 0.1, 0.0),
    "soul": (0.1, 0.3, -0.2, 0.4, -0.1, 0.0),
    "indie rock": (0.5, 0.1, 0.1, 0.2, -0.1, 0.0),
    "mellow": (-0.7, 0.0, -0.6, 0.3, -0.3, -0.2),
    "electronica": (0.2, 0.0, 0.0, -0.8, 0.0, 0.0),
    "80s": (0.4, 0.3, 0.0, -0.3, 0.0, 0.2),
    "folk": (-0.3, 0.1, -0.2, 0.9, -0.3, 0.1),
    "instrumental": (0.0, 0.0, 0.0, 0.2, 0.2, 0.0),
    "punk": (0.9, 0.1, 0.5, 0.0, -0.2, 0.1),
    "oldies": (0.0, 0.4, -0.3, 0.5, -0.2, 0.2),
    "blues": (0.0, -0.2, 0.0, 0.6, -0.3, 0.0),
    "hard rock": (0.9, 0.0, 0.6, 0.0, 0.2, -0.2),
    "acoustic": (-0.4, 0.2, -0.4, 0.9, -0.4, 0.0),
    "experimental": (0.0, -0.3, 0.5, -0.4, 0.1, 0.0),
    "hip-hop": (0.4, 0.1, 0.2, -0.5, -0.2, 0.1),
    "party": (0.8, 0.8, -0.2, -0.3, -0.1, 0.5),
    "easy listening": (-0.5, 0.4, -0.6, 0.4, -0.2, 0.1),
    "catchy": (0.4, 0.7, -0.3, -0.1, -0.1, 0.6),
    "funk": (0.5, 0.6, -0.2, 0.2, -0.2, 0.5),
    "electro": (0.7, 0.2, 0.2, -0.9, -0.1, 0.1),
    "heavy metal": (1.0, -0.5, 0.9, -0.2, 0.4, -0.5),
    "progressive rock": (0.3, -0.1, 0.3, 0.1, 0.6, -0.1),
    "60s": (0.1, 0.4, -0.2, 0.4, -0.2, 0.2),
    "rnb": (0.1, 0.3, -0.1, -0.2, -0.2, 0.0),
    "indie pop": (0.3, 0.5, -0.2, 0.1, -0.2, 0.4),
    "sad": (-0.7, -0.9, 0.1, 0.3, 0.0, -0.6),
    "house": (0.8, 0.4, 0.0, -0.9, -0.1, 0.1),
    "happy": (0.5, 1.0, -0.5, 0.1, -0.1, 0.8),
}


def kinds_of(group: str) -> tuple[int, ...]:
    """The numbers of a group's kinds, in order."""
    kinds: set[int] = set()
    for span in GROUPS[group].split():
        first, _, last = span.partition("-")
        kinds.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(kinds))
