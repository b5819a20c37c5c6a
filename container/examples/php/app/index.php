<?php
echo "PHP serves this page\n";
