-- parser_life: the time after which a parser counts as lost.
--
--- the silence after which a parser is lost and another one takes the list (ms)
local PARSER_LOST_MS = 30000
